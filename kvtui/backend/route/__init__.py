"""Addresses and interfaces of a network namespace by pyroute2, kept current by rtnetlink events.

Nothing here imports pyroute2 before it is needed: that takes 41 ms of CPU (``sockets``), so a thread does it while
kvtui waits for something else.
"""

from kvtui.backend.route.monitor import RouteMonitor

__all__ = ["RouteMonitor"]
