"""Addresses and interfaces of one network namespace (rtnetlink)."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct


class InterfaceAddress(Struct, frozen=True):
    """An address on an interface (RTM_NEWADDR); ``label`` is such as ``eth0:vip``, None for IPv6."""

    address: str
    prefixlen: int
    interface: str
    label: str | None = None
    scope: str = "global"  # or `link`, `host`, …
    tentative: bool = False  # IPv6 duplicate address detection is running or has failed
    since: float | None = None  # when kvtui saw it appear (seconds since the epoch); None: present at the start


class Interface(Struct, frozen=True):
    """A network interface (RTM_NEWLINK)."""

    index: int
    name: str
    up: bool
    running: bool
    mtu: int
    mac: str | None = None
    kind: str | None = None
    master: str | None = None  # its bridge or bond
    parent: str | None = None  # the base of a macvlan or VLAN
    since: float | None = None  # when kvtui saw it appear or come up (seconds since the epoch); None: ran at the start


class AddressTable(Struct, frozen=True, dict=True):
    """All addresses and interfaces; ``read_at`` in seconds since the epoch."""

    addresses: tuple[InterfaceAddress, ...]
    interfaces: tuple[Interface, ...]
    read_at: float

    def holding(self, address: str) -> tuple[InterfaceAddress, ...]:
        return self._by_address.get(address, ())

    @cached_property
    def _by_address(self) -> dict[str, tuple[InterfaceAddress, ...]]:
        by_address: dict[str, tuple[InterfaceAddress, ...]] = {}
        for a in self.addresses:
            by_address[a.address] = (*by_address.get(a.address, ()), a)
        return by_address
