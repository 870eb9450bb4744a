"""Pure functions of the model: no I/O, no clock, no knowledge of where the facts come from."""
