"""What must hold before keepalived is touched."""
