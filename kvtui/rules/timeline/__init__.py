"""What happened when: rates, masters and events, from one observation to the next."""
