"""Findings: problems on this node, their evidence and their remedies.

Each module covers one subject, each rule is one pure function; ``runner`` lists all rules.
"""
