"""The host's vitals: they explain late adverts, failed checks and an unwritable journal."""

from __future__ import annotations

from msgspec import Struct


class Nic(Struct, frozen=True):
    """A network interface and its counters since it came up."""

    name: str
    up: bool  # administratively up and with a carrier
    speed: int | None  # Mbit/s; None if the driver does not report it
    mtu: int
    errors_in: int
    errors_out: int
    drops_in: int
    drops_out: int


class Host(Struct, frozen=True):
    """Sizes in bytes. ``cpu`` and ``steal`` are None at the first reading."""

    cpu: float | None  # % of all cores that was busy since the previous reading
    steal: float | None  # % of CPU time that the hypervisor gave to other guests
    load: tuple[float, float, float]
    cores: int
    memory_total: int
    memory_available: int  # without swapping
    state_folder: str | None = None  # folder of the journal; None if not requested
    disk_total: int | None = None  # size of the journal's file system; None if unreadable
    disk_free: int | None = None  # what kvtui may still use there
    nics: tuple[Nic, ...] = ()  # of kvtui's own network namespace, without loopback and the host ends of pod links
