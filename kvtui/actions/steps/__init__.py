"""The reversible steps that actions are made of, one kind a module."""
