"""VRRP: what keepalived says of its instances, and what is seen on the wire."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct, field


class VrrpState(StrEnum):
    """A VRRP instance's state (keepalived's VRRP_STATE_*: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT)."""

    MASTER = "MASTER"
    BACKUP = "BACKUP"
    FAULT = "FAULT"
    INIT = "INIT"
    UNKNOWN = "UNKNOWN"


class AddressFamily(IntEnum):
    """IP version of an address or an advert."""

    V4 = 4
    V6 = 6


class VirtualAddress(Struct, frozen=True):
    """An address that an instance holds as master.

    Attributes:
        address: in canonical text form.
        prefixlen: length of its network prefix in bits.
        interface: where it is put; None when not said (then the instance's own).
        installed: whether keepalived says that it has put it there; None when not said.
    """

    address: str
    prefixlen: int
    interface: str | None = None
    installed: bool | None = None


class TrackFile(Struct, frozen=True):
    """A ``track_file`` of an instance (native knob for priority at run time)."""

    name: str
    path: str | None = None
    status: int | None = None
    weight: int | None = None


class VrrpInstance(Struct, frozen=True):
    """One VRRP instance as keepalived itself reports it (JSON or data dump); None where the dump has it not.

    Attributes:
        name: as in the config.
        state: what it is now.
        wanted_state: what it wants to be.
        interface: the one it runs on.
        vrid: virtual router id, 1–255.
        version: VRRP version, 2 or 3.
        family: IP version of its adverts.
        base_priority: configured priority.
        effective_priority: after tracking weights.
        nopreempt: a better backup does not take over.
        preempt_delay: seconds that a better backup waits.
        advert_interval: seconds.
        master_advert_interval: seconds, learned from the master.
        master_address: from the data dump; None in the JSON.
        master_priority: valid in BACKUP only; else None.
        last_transition: seconds since the epoch; reset by every reload.
        vips: its addresses.
        unicast_source: own address of adverts, when said.
        unicast_peers: when configured.
        track_files: files that it tracks (data dump only).
        auth_type: ``PASS``, ``AH``, or None. The password itself is dropped at the door.
        sync_group: when known.
        counters: name → count (advert_rcvd, advert_sent, become_master, release_master, pri_zero_rcvd, …_err).
    """

    name: str
    state: VrrpState
    interface: str | None = None
    vrid: int | None = None
    version: int | None = None
    family: AddressFamily | None = None
    wanted_state: VrrpState | None = None
    base_priority: int | None = None
    effective_priority: int | None = None
    nopreempt: bool | None = None
    preempt_delay: float | None = None
    advert_interval: float | None = None
    master_advert_interval: float | None = None
    master_address: str | None = None
    master_priority: int | None = None
    last_transition: float | None = None
    vips: tuple[VirtualAddress, ...] = ()
    unicast_source: str | None = None
    unicast_peers: tuple[str, ...] = ()
    track_files: tuple[TrackFile, ...] = ()
    auth_type: str | None = None
    sync_group: str | None = None
    counters: dict[str, int] = field(default_factory=dict)


class RealServerCheck(Struct, frozen=True):
    """What keepalived's checker says of one real server (data dump): the only way to tell failed from drained.

    Attributes:
        virtual_server: ``address:port`` or ``fwmark N`` as keepalived prints it, canonical address text.
        address: of the real server.
        port: of the real server.
        configured_weight: initial weight of the config; None when not said.
        effective_weight: what keepalived last told the kernel.
        alive: passes its checks; None when not said.
        failed_checkers: how many of its checks fail now.
    """

    virtual_server: str
    address: str
    port: int
    configured_weight: int | None = None
    effective_weight: int | None = None
    alive: bool | None = None
    failed_checkers: int | None = None


class Advert(Struct, frozen=True):
    """One VRRP advert from the wire (RFC 5798, RFC 3768).

    Attributes:
        received: seconds since the epoch.
        interface: name of the NIC it was seen on.
        source: sender's address.
        destination: multicast group or unicast peer.
        outgoing: sent by this node (PACKET_OUTGOING).
        version: 2 or 3.
        vrid: virtual router id.
        priority: 0 means "I step down", 255 "I own the address".
        interval: seconds.
        addresses: those in the packet.
        auth_type: version 2: 0 none, 1 password, 2 AH; None in version 3. The password is never kept.
        ttl: time to live or hop limit; anything but 255 is invalid.
        checksum_ok: None when it cannot be checked (AH's own digest, a truncated packet).
        authentication_header: it came inside IP protocol 51.
        error: why the packet is malformed; empty when it is not.
    """

    received: float
    interface: str
    source: str
    destination: str
    outgoing: bool
    version: int
    vrid: int
    priority: int
    interval: float
    addresses: tuple[str, ...]
    auth_type: int | None = None
    ttl: int = 255
    checksum_ok: bool | None = True
    authentication_header: bool = False
    error: str = ""

    @property
    def family(self) -> AddressFamily:
        """IP version that carried it."""
        return AddressFamily.V6 if ":" in self.source else AddressFamily.V4


class Advertiser(Struct, frozen=True):
    """One node seen to advertise one VRID on one interface: its latest advert and what is known since.

    Attributes:
        last: its latest advert.
        first_seen: seconds since the epoch.
        count: adverts seen.
        bad: adverts that were malformed, had a wrong checksum or a TTL other than 255.
        usual_priority: of its latest advert that had another one than 0; None when none was seen.
        since: when it began to advertise without a pause (seconds since the epoch); None when that is not known.
        stepped_down: the latest advert had priority 0.
        slowest: the longest time between two of its latest adverts, without silences (seconds); 0 when unknown. On a
            busy node it is more than the interval that the adverts name.
    """

    last: Advert
    first_seen: float
    count: int
    bad: int = 0
    usual_priority: int | None = None
    since: float | None = None
    slowest: float = 0.0

    @property
    def stepped_down(self) -> bool:
        """The latest advert had priority 0: it gave up mastership."""
        return self.last.priority == 0

    @property
    def usual_gap(self) -> float:
        """Seconds within which its next advert is due: its interval (0 is nonsense, taken for a second), or more."""
        return max(self.last.interval or 1.0, self.slowest)

    def silent(self, now: float) -> bool:
        """No advert for longer than a backup would wait (RFC 5798: 3 intervals + skew; here 3.5, at least 1 s)."""
        return now - self.last.received > max(1.0, 3.5 * (self.last.interval or 1.0))


class Transition(Struct, frozen=True):
    """A change of who advertises a VRID, or of an instance's state, for the timeline."""

    at: float
    vrid: int
    family: AddressFamily
    what: str
