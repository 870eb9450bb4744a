"""The table of addresses and interfaces, made of one dump and then of events. Pure: no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.route.messages import Address, Link
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress

if TYPE_CHECKING:
    from collections.abc import Iterable

    Key = tuple[int, int, str, str, int]

PORTS = frozenset(("bridge", "bond", "team"))
"""What an interface is to its master whose packets are seen again on the master; a VRF's members keep their own."""


class RouteTable:
    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._running_since: dict[int, float | None] = {}
        self._addresses: dict[Key, tuple[Address, float | None]] = {}
        self._interfaces: tuple[Interface, ...] | None = None
        self._shown: tuple[InterfaceAddress, ...] = ()

    def replace(self, links: Iterable[Link], addresses: Iterable[Address], appeared: float | None) -> bool:
        """Takes a whole dump.

        Returns:
            Whether anything is different now.
        """
        known = {key: since for key, (_, since) in self._addresses.items()}
        new_links = {link.index: link for link in links}
        new = {a.key: (a, known.get(a.key, appeared)) for a in addresses}
        changed = new_links != self._links or new != self._addresses
        old = self._links
        self._running_since = {
            index: self._running_since.get(index) if _has_run(old.get(index), link) else appeared
            for index, link in new_links.items()
        }
        self._links, self._addresses, self._interfaces = new_links, new, None
        return changed

    def apply(self, what: Link | Address, now: float, *, deleted: bool) -> bool:
        if isinstance(what, Link):
            changed = self._delete_link(what) if deleted else self._set_link(what, now)
        else:
            changed = self._delete_address(what) if deleted else self._set_address(what, now)
        if changed:
            self._interfaces = None
        return changed

    def _set_link(self, link: Link, now: float) -> bool:
        before = self._links.get(link.index)
        changed = before != link
        if not _has_run(before, link):
            self._running_since[link.index] = now
        self._links[link.index] = link
        return changed

    def _delete_link(self, link: Link) -> bool:
        if self._links.pop(link.index, None) is None:
            return False
        for key in [key for key in self._addresses if key[0] == link.index]:
            del self._addresses[key]
        return True

    def _set_address(self, address: Address, now: float) -> bool:
        before = self._addresses.get(address.key)
        self._addresses[address.key] = (address, before[1] if before else now)
        return before is None or before[0] != address

    def _delete_address(self, address: Address) -> bool:
        return self._addresses.pop(address.key, None) is not None

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
