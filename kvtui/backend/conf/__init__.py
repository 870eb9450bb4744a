"""keepalived.conf without loss: text to tree to the same bytes, and what the tree says."""
