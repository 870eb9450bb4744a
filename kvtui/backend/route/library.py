"""The part of pyroute2 that speaks rtnetlink; import it here only.

``import pyroute2`` imports all of it: 84 ms of CPU instead of 41, asyncio not counted.
"""

from __future__ import annotations

from kvtui.backend import bare_packages

bare_packages.register("pyroute2")

from pyroute2.iproute.linux import IPRoute  # noqa: E402 - the package must be registered before
from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError  # noqa: E402
from pyroute2.netlink.rtnl.iprsocket import IPRSocket  # noqa: E402

__all__ = ["IPRSocket", "IPRoute", "NetlinkDecodeError", "NetlinkError"]
