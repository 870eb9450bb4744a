"""Drain a real server, and undrain it."""
