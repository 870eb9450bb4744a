"""kvtui: the terminal UI and CLI for keepalived + IPVS nodes."""

__version__ = "0.1.0"
