"""keepalived-vip's mapping: the ConfigMap's grammar, the config that its controller writes, and the differences."""
