"""Runs keepalived's checks and scripts as keepalived does."""
