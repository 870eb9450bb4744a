"""rtnetlink messages, as pyroute2 decodes them, made into links and addresses (rtnetlink(7))."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, AF_UNSPEC
from typing import Any, Protocol

from msgspec import Struct

UP, RUNNING = 0x1, 0x40  # net/if.h
TENTATIVE, DAD_FAILED = 0x40, 0x08  # linux/if_addr.h
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}  # iproute2's rt_scopes
WITH_MAC = frozenset((1, 772))
"""ARPHRD_ETHER, ARPHRD_LOOPBACK (linux/if_arp.h): tunnels have an IP address there, which pyroute2 reads as a MAC."""


class Message(Protocol):
    def __getitem__(self, field: str) -> Any: ...

    def get_attr(self, name: str) -> Any: ...


class Link(Struct, frozen=True):
    """An interface as RTM_NEWLINK has it.

    Attributes:
        master: index of the bridge, bond or VRF it belongs to; 0 for none.
        parent: index of the base of a macvlan or VLAN; 0 for none, and if it is in another network namespace.
        port: what it is to its master: ``bridge``, ``bond``, ``vrf``, …; None without a master.
    """

    index: int
    name: str
    up: bool
    running: bool
    mtu: int
    mac: str | None
    kind: str | None
    master: int
    port: str | None
    parent: int = 0


class Address(Struct, frozen=True):
    key: tuple[int, int, str, str, int]
    """Interface index, family, local address, peer address, prefix length."""
    address: str
    label: str | None
    scope: str
    tentative: bool

    @property
    def index(self) -> int:
        return self.key[0]

    @property
    def prefixlen(self) -> int:
        return self.key[4]


def read_link(message: Message) -> Link | None:
    """Reads RTM_NEWLINK or RTM_DELLINK; None for a bridge's own notices about its ports (family AF_BRIDGE)."""
    name = message.get_attr("IFLA_IFNAME")
    if message["family"] != AF_UNSPEC or name is None:
        return None
    info = message.get_attr("IFLA_LINKINFO")
    if not hasattr(info, "get_attr"):  # pyroute2 leaves what it cannot decode as bytes
        info = None
    return Link(
        index=message["index"],
        name=name,
        up=bool(message["flags"] & UP),
        running=bool(message["flags"] & RUNNING),
        mtu=message.get_attr("IFLA_MTU") or 0,
        mac=message.get_attr("IFLA_ADDRESS") if message["ifi_type"] in WITH_MAC else None,
        kind=info.get_attr("IFLA_INFO_KIND") if info else None,
        master=message.get_attr("IFLA_MASTER") or 0,
        port=info.get_attr("IFLA_INFO_SLAVE_KIND") if info else None,
        parent=0 if message.get_attr("IFLA_LINK_NETNSID") is not None else message.get_attr("IFLA_LINK") or 0,
    )


def read_address(message: Message) -> Address | None:
    """Reads RTM_NEWADDR or RTM_DELADDR; None for another family than IPv4 and IPv6."""
    family = message["family"]
    # On a point-to-point link IFA_ADDRESS is the peer's; IPv6 has IFA_LOCAL only there (linux/if_addr.h)
    peer = message.get_attr("IFA_ADDRESS") or ""
    local = message.get_attr("IFA_LOCAL") or peer
    if family not in {AF_INET, AF_INET6} or not local:
        return None
    flags = message.get_attr("IFA_FLAGS")
    scope = message["scope"]
    return Address(
        key=(message["index"], family, local, peer, message["prefixlen"]),
        address=local,
        label=message.get_attr("IFA_LABEL"),
        scope=SCOPES.get(scope, str(scope)),
        tentative=bool((message["flags"] if flags is None else flags) & (TENTATIVE | DAD_FAILED)),
    )
