"""The kernel's IPVS table: by generic netlink, or by procfs without CAP_NET_ADMIN. Start at ``reader`` and ``writer``.

Why not pyroute2's IPVS: its dump of 10,000 real servers takes 2.75 s of CPU, this one 0.17 s (benchmarks/RESULTS.md).
"""
