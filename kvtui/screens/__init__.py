"""The screens and panels of the terminal UI."""
