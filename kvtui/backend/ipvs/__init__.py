"""The kernel's IPVS table: by generic netlink, or by procfs without CAP_NET_ADMIN.

Start at ``reader`` and ``writer``. Below them: ``genl`` (the socket), ``uapi`` (numbers of the kernel's header),
``attributes`` (netlink's TLVs), ``layout`` (unpacks a message in one step), ``decode`` (messages → model), ``procfs``
(text → model), ``incremental`` (large tables).

Why not pyroute2's IPVS: its dump of 10,000 real servers takes 2.75 s of CPU, this one 0.17 s, 16 times faster
(benchmarks/RESULTS.md). Routes, addresses and links do use pyroute2 (``backend.route``).
"""
