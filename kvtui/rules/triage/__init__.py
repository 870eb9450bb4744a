"""Findings: what is wrong on this node, how that is known, and the command that helps.

One small module a theme, one pure function a rule; ``judge`` has them all in one tuple and is the way in.
"""
