"""The screens of the terminal UI; a .tcss beside each."""
