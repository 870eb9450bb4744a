"""Links and addresses from rtnetlink messages, as pyroute2 decodes them, and their table. Pure: no I/O.

The table is made of one dump and then of events (rtnetlink(7)).
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, AF_UNSPEC
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress

if TYPE_CHECKING:
    from collections.abc import Iterable

UP, RUNNING = 0x1, 0x40  # net/if.h
TENTATIVE, DAD_FAILED = 0x40, 0x08  # linux/if_addr.h
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}  # iproute2's rt_scopes
WITH_MAC = frozenset((1, 772))
"""ARPHRD_ETHER, ARPHRD_LOOPBACK (linux/if_arp.h): tunnels have an IP address there, which pyroute2 reads as a MAC."""
PORTS = frozenset(("bridge", "bond", "team"))
"""What an interface is to its master whose packets are seen again on the master; a VRF's members keep their own."""

Key = tuple[int, int, str, str, int]  # interface index, family, local address, peer address, prefix length


class RouteMessage(Protocol):
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
    key: Key
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


def read_link(message: RouteMessage) -> Link | None:
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


def read_address(message: RouteMessage) -> Address | None:
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


class RouteTable:
    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._running_since: dict[int, float | None] = {}
        self._addresses: dict[Key, tuple[Address, float | None]] = {}
        self._interfaces: tuple[Interface, ...] | None = None
        self._shown: tuple[InterfaceAddress, ...] = ()

    def replace(self, links: Iterable[Link], addresses: Iterable[Address], appeared: float | None) -> bool:
        """Takes a whole dump; returns whether anything is different now."""
        known = {key: since for key, (_, since) in self._addresses.items()}
        new_links = {link.index: link for link in links}
        new = {a.key: (a, known.get(a.key, appeared)) for a in addresses}
        changed = new_links != self._links or new != self._addresses
        self._running_since = {
            index: self._running_since.get(index) if _has_run(self._links.get(index), link) else appeared
            for index, link in new_links.items()
        }
        self._links, self._addresses, self._interfaces = new_links, new, None
        return changed

    def apply(self, what: Link | Address, now: float, *, deleted: bool) -> bool:
        if isinstance(what, Link):
            changed = self._delete_link(what) if deleted else self._set_link(what, now)
        elif deleted:
            changed = self._addresses.pop(what.key, None) is not None
        else:
            before = self._addresses.get(what.key)
            self._addresses[what.key] = (what, before[1] if before else now)
            changed = before is None or before[0] != what
        if changed:
            self._interfaces = None
        return changed

    def _set_link(self, link: Link, now: float) -> bool:
        before = self._links.get(link.index)
        if not _has_run(before, link):
            self._running_since[link.index] = now
        self._links[link.index] = link
        return before != link

    def _delete_link(self, link: Link) -> bool:
        if self._links.pop(link.index, None) is None:
            return False
        self._addresses = {key: value for key, value in self._addresses.items() if key[0] != link.index}
        return True

    def ports(self) -> frozenset[str]:
        return frozenset(link.name for link in self._links.values() if link.port in PORTS)

    def table(self, now: float) -> AddressTable:
        """Returns interfaces by index, addresses by interface and in the kernel's order."""
        if self._interfaces is None:
            names = {index: link.name for index, link in self._links.items()}
            self._interfaces = tuple(
                _interface(link, names, self._running_since.get(index)) for index, link in sorted(self._links.items())
            )
            by_interface = sorted(self._addresses.values(), key=lambda a: a[0].key[:2])
            self._shown = tuple(_shown(a, since, names[a.index]) for a, since in by_interface if a.index in names)
        return AddressTable(self._shown, self._interfaces, now)


def _has_run(before: Link | None, now: Link) -> bool:
    """Whether an interface ran all the time under this name, or does not run now."""
    return before is not None and (not now.running or (before.running and before.name == now.name))


def _interface(link: Link, names: dict[int, str], since: float | None) -> Interface:
    return Interface(
        index=link.index,
        name=link.name,
        up=link.up,
        running=link.running,
        mtu=link.mtu,
        mac=link.mac,
        kind=link.kind,
        master=names.get(link.master),
        parent=names.get(link.parent),
        since=since,
    )


def _shown(address: Address, since: float | None, name: str) -> InterfaceAddress:
    return InterfaceAddress(
        address=address.address,
        prefixlen=address.prefixlen,
        interface=name,
        label=address.label,
        scope=address.scope,
        tentative=address.tentative,
        since=since,
    )
