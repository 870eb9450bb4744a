"""The part of pyroute2 that speaks rtnetlink; import it here only.

``import pyroute2`` imports all of it: 84 ms of CPU instead of 41, asyncio not counted. Its sockets for tests import
unittest, which takes 9 ms more; traffic control takes 5 ms.
"""

from __future__ import annotations

from types import SimpleNamespace

from kvtui.backend import bare_packages

bare_packages.register("pyroute2")

UNUSED: dict[str, dict[str, object]] = {
    "unittest": {"mock": SimpleNamespace(Mock=type("Mock", (), {}))},
    "pyroute2.netlink.rtnl.tcmsg": {"tcmsg": type("tcmsg", (), {}), "plugins": {}},
}

with bare_packages.stand_ins(UNUSED):  # the package must be registered before
    from pyroute2.iproute.linux import IPRoute
    from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError
    from pyroute2.netlink.rtnl.iprsocket import IPRSocket

__all__ = ["IPRSocket", "IPRoute", "NetlinkDecodeError", "NetlinkError"]
