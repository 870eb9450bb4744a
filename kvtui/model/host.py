"""The machine's vitals: what can make an advert late, a check fail, or the journal unwritable."""

from __future__ import annotations

from msgspec import Struct


class Nic(Struct, frozen=True):
    """A network interface and its counters since it came up.

    Attributes:
        name: as the kernel names it.
        up: administratively up, with a carrier.
        speed: Mbit/s; None when the driver does not say.
        mtu: bytes.
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
    """The machine.

    Attributes:
        cpu: % of all cores that was busy since the reading before; None at the first one.
        steal: % that the hypervisor gave to others; None at the first reading.
        load: averages over 1, 5 and 15 minutes.
        cores: how many.
        memory_total: bytes.
        memory_available: bytes that can be had without swapping.
        state_folder: where the journal is kept; None when that was not asked.
        disk_total: bytes of its file system; None when it cannot be read.
        disk_free: bytes that are left to kvtui there.
        nics: of kvtui's own network namespace, without the loopback and the host's ends of pods' links.
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
