"""Widgets: they draw what they are given and read nothing themselves."""
