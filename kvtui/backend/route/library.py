"""The part of pyroute2 that speaks rtnetlink; import it here only.

``import pyroute2`` imports all of it: 84 ms of CPU instead of 41, asyncio not counted. Its sockets for tests import
unittest, which takes 9 ms more.
"""

from __future__ import annotations

from kvtui.backend import bare_packages

bare_packages.register("pyroute2")

with bare_packages.without_unittest():  # the package must be registered before
    from pyroute2.iproute.linux import IPRoute
    from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError
    from pyroute2.netlink.rtnl.iprsocket import IPRSocket

__all__ = ["IPRSocket", "IPRoute", "NetlinkDecodeError", "NetlinkError"]
