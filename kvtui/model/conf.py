"""The contents of a keepalived.conf (parsed by ``backend.conf``); names as in keepalived.conf(5)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kvtui.model.ipvs import ForwardingMethod, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.check import Check
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.vrrp import AuthHmac, VirtualAddress


class ProblemKind(StrEnum):
    SYNTAX = "syntax"
    """Unbalanced braces or quotes, a block that is lost, an endless macro: keepalived may exit or lose config."""
    INCLUDE = "include"
    VALUE = "value"  # a value that keepalived rejects (priority 300, no virtual_router_id)


class Location(Struct, frozen=True):
    """A position in a file: 1-based line and column (characters)."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(Struct, frozen=True):
    kind: ProblemKind
    message: str
    at: Location


class ConfTrack(Struct, frozen=True):
    """An interface, script, file or process that an instance tracks; values that it does not configure are None."""

    kind: str
    name: str
    weight: int | None = None
    reverse: bool | None = None  # a success counts as a failure, and the number of a file the other way round


class ConfInstance(Struct, frozen=True):
    """A ``vrrp_instance`` block, with keepalived's defaults and corrections; unknown values are None."""

    name: str
    at: Location
    state: str | None = None  # what it starts as
    interface: str | None = None
    vrid: int | None = None
    priority: int | None = None
    priority_at: Location | None = None  # of the `priority` line
    priority_literal: bool = True  # False: it comes from `$`, `@` or `~` and cannot be edited
    version: int | None = None
    nopreempt: bool = False
    preempt_delay: float | None = None
    advert_interval: float | None = None
    auth_type: str | None = None
    vips: tuple[VirtualAddress, ...] = ()
    excluded_vips: tuple[VirtualAddress, ...] = ()
    unicast_source: str | None = None
    unicast_peers: tuple[str, ...] = ()
    tracks: tuple[ConfTrack, ...] = ()
    auth_hmac: AuthHmac | None = None
    use_vmac: bool = False
    auth_digest: str = ""  # differs between passwords, in this process only; reveals none
    tracks_interface: bool = True  # False with `dont_track_primary`
    nopreempt_cleared: bool = False  # keepalived does not take its `nopreempt`
    strict: bool = False
    accept: bool = True  # False: packets to the VIPs are dropped

    @property
    def all_vips(self) -> tuple[VirtualAddress, ...]:
        return (*self.vips, *self.excluded_vips)


class ConfRealServer(Struct, frozen=True):
    """A ``real_server`` (or ``sorry_server``) block; ``checks`` are the names of its checkers."""

    address: str
    port: int | None
    at: Location
    weight: int | None = None
    method: ForwardingMethod | None = None
    upper_threshold: int | None = None
    lower_threshold: int | None = None
    inhibit_on_failure: bool = False
    checks: tuple[str, ...] = ()
    file_check: str | None = None  # the track file of its FILE_CHECK
    sorry: bool = False
    file_check_weight: int | None = None  # negative for `reverse`; None: the track file's own weight, or 1
    written_port: int | None = None  # keepalived replaces it: only NAT can reach it
    weight_unknown: bool = False  # only keepalived knows it (`${_RANDOM 1 9}`)

    @property
    def initial_weight(self) -> int:
        return 1 if self.weight is None else self.weight


class ConfVirtualServer(Struct, frozen=True):
    """A ``virtual_server`` block, or one member of a ``virtual_server_group`` if ``group`` names it.

    For a group that cannot be resolved, address, port and fwmark are None.
    """

    at: Location
    address: str | None
    port: int | None
    fwmark: int | None = None
    group: str | None = None
    protocol: Protocol = Protocol.TCP
    scheduler: str | None = None
    method: ForwardingMethod | None = None
    persistence_timeout: int | None = None
    quorum: int | None = None
    hysteresis: int = 0
    service: str | None = None  # of keepalived-vip's comment before it: `# Service: default-nginx` or `default/nginx`
    real_servers: tuple[ConfRealServer, ...] = ()

    @property
    def key(self) -> ServiceKey | None:
        """None for a group whose members are not known."""
        if self.fwmark is not None:
            six = any(":" in r.address for r in self.real_servers)
            return (Protocol.FWMARK, "::" if six else "", 0, self.fwmark)
        return None if self.address is None else (self.protocol, self.address, self.port or 0, 0)

    def key_of(self, real: ConfRealServer) -> tuple[str, int]:
        """A real server without a port uses the virtual server's."""
        return (real.address, real.port or self.port or 0)

    def regular_servers(self) -> dict[tuple[str, int], ConfRealServer]:
        return {self.key_of(r): r for r in self.real_servers if not r.sorry}

    def sorry_keys(self) -> set[tuple[str, int]]:
        return {self.key_of(r) for r in self.real_servers if r.sorry}


class ConfTrackFile(Struct, frozen=True):
    name: str
    path: str | None
    weight: int | None = None
    reverse: bool = False


class ConfScript(Struct, frozen=True):
    """A ``vrrp_script`` definition; ``command`` as written, ``weight`` 0 makes a failure a FAULT."""

    name: str
    command: str
    interval: float = 1.0
    timeout: float | None = None
    weight: int = 0
    rise: int = 1
    fall: int = 1
    user: str | None = None
    at: Location | None = None
    reverse: bool = False


class SyncGroup(Struct, frozen=True):
    """A ``vrrp_sync_group``: its members change state together."""

    name: str
    members: tuple[str, ...]
    tracks_weights: bool = False  # the weights of what its members track count (`sync_group_tracking_weight`)


class Conf(Struct, frozen=True):
    """A whole configuration with its includes."""

    path: str  # as keepalived names it
    read_at: float  # seconds since the epoch
    modified: float | None = None  # mtime of the main file (seconds since the epoch); None for the running config
    digest: str = ""  # sha256 of the text without comments and whitespace
    files: tuple[str, ...] = ()  # every file read, main one first
    globals: dict[str, str] = field(default_factory=dict)
    """Single-line ``global_defs`` entries (keyword → rest of line), without secrets."""
    instances: tuple[ConfInstance, ...] = ()
    sync_groups: tuple[SyncGroup, ...] = ()
    track_files: tuple[ConfTrackFile, ...] = ()
    scripts: tuple[ConfScript, ...] = ()
    virtual_servers: tuple[ConfVirtualServer, ...] = ()
    ignored_servers: tuple[ConfVirtualServer, ...] = ()  # those without a real server, which keepalived ignores
    checks: tuple[Check, ...] = ()
    problems: tuple[Problem, ...] = ()

    def instance(self, name: str) -> ConfInstance | None:
        return next((i for i in self.instances if i.name == name), None)

    def version_of(self, instance: ConfInstance) -> int:
        """The VRRP version of its adverts."""
        common = self.globals.get("vrrp_version", "").strip()
        default = 3 if instance.vips and ":" in instance.vips[0].address else 2
        return instance.version or (int(common) if common.isdecimal() else 0) or default

    def sync_group_of(self, instance: str) -> SyncGroup | None:
        return next((g for g in self.sync_groups if instance in g.members), None)

    @property
    def written_servers(self) -> tuple[ConfVirtualServer, ...]:
        """Those that keepalived ignores too."""
        return (*self.virtual_servers, *self.ignored_servers)

    def vips(self) -> Iterator[str]:
        return (v.address for i in self.instances for v in i.all_vips)

    def virtual_servers_by_key(self) -> dict[ServiceKey, ConfVirtualServer]:
        return {key: v for v in self.virtual_servers if (key := v.key) is not None}
