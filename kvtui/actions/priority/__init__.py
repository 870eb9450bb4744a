"""Change the priority of a VRRP instance."""
