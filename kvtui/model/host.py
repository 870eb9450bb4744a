"""The host's vitals: they explain late adverts, failed checks and an unwritable journal."""

from __future__ import annotations

from msgspec import Struct


class Nic(Struct, frozen=True):
    """A network interface and its counters since it came up.

    Attributes:
        up: administratively up and with a carrier.
        speed: Mbit/s; None if the driver does not report it.
    """

    name: str
    up: bool
    speed: int | None
    mtu: int
    errors_in: int
    errors_out: int
    drops_in: int
    drops_out: int


class Host(Struct, frozen=True):
    """The host.

    Attributes:
        cpu: % of all cores that was busy since the previous reading; None at the first one.
        steal: % of CPU time that the hypervisor gave to other guests; None at the first reading.
        memory_available: bytes available without swapping.
        state_folder: folder of the journal; None if not requested.
        disk_total: size in bytes of the journal's file system; None if unreadable.
        disk_free: bytes that kvtui may still use there.
        nics: of kvtui's own network namespace, without loopback and the host ends of pod links.
    """

    cpu: float | None
    steal: float | None
    load: tuple[float, float, float]
    cores: int
    memory_total: int
    memory_available: int
    state_folder: str | None = None
    disk_total: int | None = None
    disk_free: int | None = None
    nics: tuple[Nic, ...] = ()
