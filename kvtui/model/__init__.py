"""Frozen values that describe a node at one moment; no I/O.

The layers stay separate and are compared later: the config file (``conf``), what keepalived runs (``keepalived``,
``vrrp``), the kernel (``ipvs``, ``addresses``), the wire (``vrrp.Advertiser``). ``snapshot.Snapshot`` holds them.
"""
