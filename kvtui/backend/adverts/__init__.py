"""VRRP adverts on the wire: captured, decoded, and concluded from."""
