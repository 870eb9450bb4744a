"""What a keepalived.conf says, taken out of its tree (``backend.conf``): names as in keepalived.conf(5)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kvtui.model.ipvs import ForwardingMethod, Protocol

if TYPE_CHECKING:
    from kvtui.model.vrrp import VirtualAddress


class ProblemKind(StrEnum):
    """What kind of trouble the reader met."""

    SYNTAX = "syntax"
    """Unbalanced braces or quotes: keepalived may die of it."""
    INCLUDE = "include"
    """An included file is missing or unreadable."""
    VALUE = "value"
    """A value that keepalived rejects (priority 300, no virtual_router_id)."""


class Location(Struct, frozen=True):
    """Where in which file: 1-based line and column (characters)."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        """``file:line:column``, as editors jump to it."""
        return f"{self.file}:{self.line}:{self.column}"


class Problem(Struct, frozen=True):
    """Something wrong in the text, with its place."""

    kind: ProblemKind
    message: str
    at: Location


class ConfTrack(Struct, frozen=True):
    """A tracked thing of an instance: interface, script, file or process, with its weight if one is given."""

    kind: str
    name: str
    weight: int | None = None


class ConfInstance(Struct, frozen=True):
    """A ``vrrp_instance`` block.

    ``priority_literal`` is False when the priority comes from ``$``, ``@`` or ``~``: then it cannot be edited.
    Values are None when the block does not say them.
    """

    name: str
    at: Location
    state: str | None = None
    interface: str | None = None
    vrid: int | None = None
    priority: int | None = None
    priority_at: Location | None = None
    priority_literal: bool = True
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


class ConfRealServer(Struct, frozen=True):
    """A ``real_server`` (or ``sorry_server``) block; ``checks`` are the names of its checkers.

    ``file_check`` is the track file of its FILE_CHECK, and ``file_check_weight`` what that check says of its weight
    (negative for ``reverse``); None leaves it to the track file's own, and that to 1.
    """

    address: str
    port: int | None
    at: Location
    weight: int | None = None
    method: ForwardingMethod | None = None
    upper_threshold: int | None = None
    lower_threshold: int | None = None
    inhibit_on_failure: bool = False
    checks: tuple[str, ...] = ()
    file_check: str | None = None
    sorry: bool = False
    file_check_weight: int | None = None


class ConfVirtualServer(Struct, frozen=True):
    """A ``virtual_server`` block; one of a ``virtual_server_group``'s members where ``group`` names it.

    Of a group that cannot be resolved address, port and fwmark are None.

    ``service`` is the Kubernetes service named by keepalived-vip's comment before the block
    (``# Service: default-nginx``, ``# Service: default/nginx``); None when there is none.
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
    service: str | None = None
    real_servers: tuple[ConfRealServer, ...] = ()


class ConfTrackFile(Struct, frozen=True):
    """A ``track_file`` / ``vrrp_track_file`` definition."""

    name: str
    path: str | None
    weight: int | None = None


class SyncGroup(Struct, frozen=True):
    """A ``vrrp_sync_group``: its members change state together."""

    name: str
    members: tuple[str, ...]


class Conf(Struct, frozen=True):
    """A whole configuration, includes followed.

    Attributes:
        path: as keepalived names it.
        read_at: seconds since the epoch.
        modified: mtime of the main file (seconds since the epoch); None for the running config.
        digest: sha256 of the effective text without comments and blank space: equal digests run alike.
        files: every file read, main one first.
        globals: single-line ``global_defs`` entries (keyword → rest of line); secrets dropped.
    """

    path: str
    read_at: float
    modified: float | None = None
    digest: str = ""
    files: tuple[str, ...] = ()
    globals: dict[str, str] = field(default_factory=dict)
    instances: tuple[ConfInstance, ...] = ()
    sync_groups: tuple[SyncGroup, ...] = ()
    track_files: tuple[ConfTrackFile, ...] = ()
    virtual_servers: tuple[ConfVirtualServer, ...] = ()
    problems: tuple[Problem, ...] = ()
