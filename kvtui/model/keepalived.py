"""A keepalived on this host, as seen from its processes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

Version = tuple[int, ...]
BOOLEAN_FLAGS = frozenset({
    "alsologtostderr", "help", "logtostderr", "proxy-protocol-mode", "release-vips", "use-kubernetes-cluster-service",
    "use-unicast",
})  # fmt: skip
"""Flags of keepalived-vip's controllers. Go's pflag sets a bare boolean flag to ``true`` and never takes the next word
as its value."""
TRUE_VALUES = frozenset({"1", "t", "T", "TRUE", "true", "True"})


class KeepalivedNotFoundError(Exception):
    """``--pid`` names no keepalived; the message lists those that run."""


class Children(Struct, frozen=True):
    """PIDs in kvtui's PID namespace; None for a missing child."""

    vrrp: int | None = None
    checker: int | None = None
    bfd: int | None = None


class PidFile(Struct, frozen=True):
    path: str  # inside keepalived's mount namespace
    pid: int | None  # what the file has (in keepalived's PID namespace); None if it is not a number
    stale: bool  # the number is not the PID of the process that owns the file


class Controller(Struct, frozen=True):
    """The process that writes keepalived.conf and runs keepalived as its child (kube-keepalived-vip).

    Flags that are not given, and an environment that cannot be read, are None.
    """

    pid: int
    name: str
    argv: tuple[str, ...]
    configmap: str | None = None  # `namespace/name` from `--services-configmap`
    vrid: int | None = None
    interface: str | None = None  # from `--iface`
    http_port: int | None = None
    pod: str | None = None  # `namespace/name` from its POD_NAMESPACE and POD_NAME
    notify: str | None = None  # KEEPALIVED_NOTIFY, the script that it writes into the config


class Keepalived(Struct, frozen=True):
    """A running keepalived: its parent process, and what can be read without a dump; None for what cannot."""

    pid: int  # in kvtui's PID namespace
    ns_pid: int  # in its own PID namespace (last number of `NSpid` in /proc/PID/status)
    argv: tuple[str, ...]
    version: str | None  # such as `2.2.7`
    conf: str  # path of its config file, inside its mount namespace
    root: str  # prefix for paths inside its mount namespace: `/proc/<pid>/root`; empty if it shares kvtui's
    netns: int | None  # inode of its network namespace (needs CAP_SYS_PTRACE); `mntns`: of its mount namespace
    mntns: int | None
    own_netns: bool | None  # it is in kvtui's network namespace
    children: Children
    started: float  # seconds since the epoch; changes when the clock is set
    config_id: str | None = None  # `-i`, `--config-id`: which `@` lines of its config hold
    instance_name: str | None = None  # of `instance` in its config; it names the pid files, and selects no `@` lines
    net_namespace: str | None = None  # of the config, or `-s`
    tmpdir: str = "/tmp"  # noqa: S108 - keepalived's own default, read only
    """Folder of its dumps, inside its mount namespace."""
    dumps_json: bool | None = None  # it catches the JSON signal (bit 36 of SigCgt or SigBlk)
    pid_files: tuple[PidFile, ...] = ()
    controller: Controller | None = None
    uid: int = 0
    start_ticks: int = 0  # clock ticks from boot to its start; identifies the process together with `pid`

    @property
    def identity(self) -> tuple[int, int, int | None, int | None]:
        """Data of a keepalived with another identity is void."""
        return (self.pid, self.start_ticks, self.netns, self.mntns)

    def outside(self, path: str) -> str:
        """The path at which kvtui can open keepalived's ``path``."""
        return self.root + path if path.startswith("/") else path


def parse_version(text: str) -> Version | None:
    """Returns the three numbers of ``2.2.7``; None for other texts."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", text)
    return tuple(int(n or 0) for n in match.groups()) if match else None


def parse_flags(argv: Sequence[str]) -> dict[str, str]:
    """Parses a controller's command line like pflag does."""
    flags: dict[str, str] = {}
    words = iter(argv[1:])
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            name, joined, value = word[2:].partition("=")
            flags[name] = value if joined else "true" if name in BOOLEAN_FLAGS else next(words, "")
    return flags


def is_true(flags: dict[str, str], name: str) -> bool:
    return flags.get(name, "false") in TRUE_VALUES
