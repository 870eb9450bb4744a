"""What a view says, for the command line and the terminal UI alike: no widget, no printing."""
