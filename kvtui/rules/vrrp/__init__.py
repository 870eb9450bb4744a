"""VRRP: who claims to be master, who wins an election, what the evidence says about each instance."""
