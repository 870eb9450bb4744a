"""What keepalived itself says: its dumps and its log."""
