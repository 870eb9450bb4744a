"""Rules over several nodes: who owns a VIP, who is next, who hears whom, what differs. Pure functions."""
