"""Shell completion by typer: its engine finds the values, short scripts hand the typed line over and show them."""
