"""Make the VIPs of an instance leave this node."""
