"""Undo, finish or leave what the journal has."""
