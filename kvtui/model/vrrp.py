"""VRRP: instances as keepalived reports them, and adverts from the wire."""

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
    V4 = 4
    V6 = 6

    @classmethod
    def of(cls, address: str) -> AddressFamily:
        return cls.V6 if ":" in address else cls.V4

    @classmethod
    def of_vips(cls, vips: tuple[VirtualAddress, ...]) -> AddressFamily:
        """The first VIP decides; without one it is IPv4."""
        return cls.of(vips[0].address if vips else "")


class VirtualAddress(Struct, frozen=True):
    """A VIP; without an ``interface`` it is on the instance's. Adverts do not have an ``excluded`` one."""

    address: str
    prefixlen: int
    interface: str | None = None
    installed: bool | None = None  # whether keepalived reports it as added to the interface
    excluded: bool = False


class TrackFile(Struct, frozen=True):
    """A ``track_file`` of an instance; writing to it changes the priority at run time."""

    name: str
    path: str | None = None
    status: int | None = None
    weight: int | None = None


class HmacMode(StrEnum):
    """What ``auth_hmac`` does: verify only, sign too, require signatures. A roll-out goes through them in order."""

    RECEIVE_ONLY = "receive-only"
    PERMISSIVE = "permissive"
    ENFORCE = "enforce"


class AuthHmac(Struct, frozen=True):
    mode: HmacMode
    active_key: int  # id of the key that signs
    key_ids: tuple[int, ...] | None = None  # None where the dump has only their number
    time_window: int | None = None  # seconds that the clock of a sender may differ; None for `anti_replay monotonic`


class Tracked(Struct, frozen=True):
    """What an instance tracks: an ``interface``, ``script``, ``process`` or ``bfd`` (data dump only)."""

    kind: str
    name: str
    weight: int = 0  # 0: a failure is a FAULT; else the priority changes by it
    reverse: bool = False
    good: bool | None = None  # the last result; None if it has none yet, and for interfaces
    detail: str = ""  # a script's command, user and timeout


class VrrpInstance(Struct, frozen=True):
    """A VRRP instance as keepalived reports it (JSON or data dump); values that the dump lacks are None."""

    name: str
    state: VrrpState
    interface: str | None = None
    vrid: int | None = None
    version: int | None = None
    family: AddressFamily | None = None  # of its adverts
    wanted_state: VrrpState | None = None  # what keepalived is moving to
    base_priority: int | None = None
    effective_priority: int | None = None  # after tracking weights
    nopreempt: bool | None = None
    preempt_delay: float | None = None  # seconds that a backup with a higher priority waits
    advert_interval: float | None = None  # seconds
    master_advert_interval: float | None = None
    master_address: str | None = None  # data dump only
    master_priority: int | None = None  # in BACKUP only
    last_transition: float | None = None  # seconds since the epoch; reset by every reload
    vips: tuple[VirtualAddress, ...] = ()
    unicast_source: str | None = None
    unicast_peers: tuple[str, ...] = ()
    track_files: tuple[TrackFile, ...] = ()  # data dump only; so are `tracked`, `auth_hmac` and `group` (multicast)
    auth_type: str | None = None  # `PASS` or `AH`. The parser drops the password.
    sync_group: str | None = None
    counters: dict[str, int] = field(default_factory=dict)
    """``advert_rcvd``, ``advert_sent``, ``become_master``, ``release_master``, ``pri_zero_rcvd``, …``_err``."""
    auth_hmac: AuthHmac | None = None
    tracked: tuple[Tracked, ...] = ()
    tracks_interface: bool = True  # False with `dont_track_primary` (JSON only)
    strict: bool | None = None  # RFC compliance is enforced: without `accept`, keepalived drops packets to the VIPs
    accept: bool | None = None
    vmac: str | None = None  # name of its VMAC or ipvlan interface
    group: str | None = None
    grown: dict[str, float] = field(default_factory=dict)
    """Counter → when a dump last showed that it grew (seconds since the epoch)."""
    counted_since: float | None = None  # when the first dump was read that `grown` compares (seconds since the epoch)

    @property
    def advertised(self) -> tuple[str, ...]:
        return tuple(v.address for v in self.vips if not v.excluded)


class RealServerCheck(Struct, frozen=True):
    virtual_server: str  # `address:port` or `fwmark N` as keepalived prints it, canonical address text
    address: str
    port: int
    configured_weight: int | None = None
    effective_weight: int | None = None  # what keepalived last wrote to the kernel
    alive: bool | None = None
    failed_checkers: int | None = None
    failing: tuple[str, ...] = ()  # its checks that fail, with what keepalived knows of them


class HmacTrailer(Struct, frozen=True):
    """The trailer that ``auth_hmac`` appends to an advert (keepalived 2.4; vrrp_auth_hmac.h). The HMAC is not kept."""

    scheme: int  # 1 is HMAC-SHA256, truncated to 128 bits
    key_id: int
    sequence: int  # 64 bits, ever growing: the sender's clock in seconds, 1/65,536 s, and a counter
    reserved: int = 0  # not 0: receivers reject the advert

    @property
    def malformed(self) -> bool:
        return self.scheme != 1 or self.reserved != 0

    @property
    def signed_at(self) -> float:
        """By the sender's clock (seconds since the epoch)."""
        return (self.sequence >> 16) / 65536


class Advert(Struct, frozen=True):
    """One VRRP advert from the wire (RFC 5798, RFC 3768)."""

    received: float  # seconds since the epoch
    interface: str
    source: str
    destination: str
    outgoing: bool  # sent by this node (PACKET_OUTGOING)
    version: int
    vrid: int
    priority: int  # 0 means "I step down", 255 "I own the address"
    interval: float
    addresses: tuple[str, ...]
    auth_type: int | None = None  # version 2: 0 none, 1 password, 2 AH; None in version 3. The password is not stored.
    ttl: int = 255  # or hop limit; only 255 is valid
    checksum_ok: bool | None = True  # None if it cannot be checked (AH digest, truncated packet)
    authentication_header: bool = False  # it arrived inside IP protocol 51
    error: str = ""  # why the packet is malformed
    hmac: HmacTrailer | None = None
    carp: bool = False  # a CARP packet, not VRRP: `vrid` is its vhid, `priority` its advskew (lower is better)

    @property
    def family(self) -> AddressFamily:
        return AddressFamily.of(self.source)


class Advertiser(Struct, frozen=True):
    """A node that advertises a VRID on an interface."""

    last: Advert
    first_seen: float
    count: int
    bad: int = 0  # adverts that were malformed, or had a wrong checksum or a TTL other than 255
    usual_priority: int | None = None  # of its latest advert with a priority above 0; None if there was none
    since: float | None = None  # start of its current uninterrupted run of adverts (seconds since the epoch)
    slowest: float = 0.0
    """Longest gap between its recent adverts, without silences (seconds); 0 if unknown. On a busy node it exceeds the
    advert interval."""
    believed: bool = True
    """``last`` counts in the election; some peers accept an unusual checksum, which counts as bad too."""
    replayed: int = 0
    """Signed adverts whose sequence did not grow (auth_hmac): sent again by somebody, or the sender's clock was set
    back. Receivers reject them; they do not count in the election."""
    replayed_at: float | None = None  # when the last of them came (seconds since the epoch); `bad_at`: of the bad ones
    bad_at: float | None = None

    @property
    def stepped_down(self) -> bool:
        return self.last.priority == 0 and not self.last.carp

    @property
    def usual_gap(self) -> float:
        """Seconds until its next advert is due: its interval (an invalid 0 counts as 1 s), or its longest gap."""
        return max(self.last.interval or 1.0, self.slowest)

    def silent(self, now: float) -> bool:
        """Returns whether it is silent longer than a backup waits (3 intervals + skew; here 3.5, at least 1 s)."""
        return now - self.last.received > max(1.0, 3.5 * (self.last.interval or 1.0))


class Transition(Struct, frozen=True):
    """A change of a VRID's master or of an instance's state, for the timeline."""

    at: float
    vrid: int
    family: AddressFamily
    what: str
