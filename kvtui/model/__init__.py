"""What is known of a node at one moment: frozen dataclasses and enums, stdlib only, no I/O.

Layers of the world are kept apart here and compared later, never merged: what the config file says
(``conf``), what keepalived runs (``keepalived``, ``vrrp``), what the kernel holds (``ipvs``, ``addresses``)
and what is on the wire (``vrrp.Advertiser``). ``snapshot.Snapshot`` holds one reading of all of them.
"""
