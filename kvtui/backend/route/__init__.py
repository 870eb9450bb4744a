"""Addresses and interfaces of a network namespace by pyroute2, kept current by rtnetlink events.

Nothing here imports pyroute2 before it is needed: that takes 100 to 140 ms of CPU (measured; any part of it imports
all of it, and asyncio's share is 35 ms), so a thread does it while kvtui waits for something else.
"""

from kvtui.backend.route.monitor import RouteMonitor

__all__ = ["RouteMonitor"]
