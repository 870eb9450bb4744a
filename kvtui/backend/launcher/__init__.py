"""Runs programs of a keepalived's (its config test, its scripts) with its rights and no more."""
