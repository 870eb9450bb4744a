"""What views say (rows, sentences, the meaning of colours), for the command line and the terminal UI."""
