"""Reload keepalived."""
