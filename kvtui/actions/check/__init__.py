"""``kvtui check``: runs a check or script of keepalived's once, as keepalived does."""
