"""A keepalived on this machine, as its processes show it."""

from __future__ import annotations

from msgspec import Struct


class Children(Struct, frozen=True):
    """PIDs of keepalived's child processes, as seen from kvtui's PID namespace; None where there is none."""

    vrrp: int | None = None
    checker: int | None = None
    bfd: int | None = None


class PidFile(Struct, frozen=True):
    """One pid file and whether it tells the truth.

    Attributes:
        path: as keepalived names it, inside its own mount namespace.
        pid: the number in the file (in keepalived's own PID namespace); None when it is not a number.
        stale: the number is not that of the process that should own the file.
    """

    path: str
    pid: int | None
    stale: bool


class Controller(Struct, frozen=True):
    """The process that writes keepalived.conf and runs keepalived as its child (kube-keepalived-vip).

    Attributes:
        pid: as seen from kvtui.
        name: its command name.
        argv: its arguments.
        configmap: ``namespace/name`` from ``--services-configmap``; None when not given.
        vrid: from ``--vrid``; None when not given.
        interface: from ``--iface``; None when not given.
        http_port: from ``--http-port``; None when not given.
        pod: ``namespace/name`` from its POD_NAMESPACE and POD_NAME; None when unreadable.
        notify: KEEPALIVED_NOTIFY, a script that it writes into the config; None when it has none, or is unreadable.
    """

    pid: int
    name: str
    argv: tuple[str, ...]
    configmap: str | None = None
    vrid: int | None = None
    interface: str | None = None
    http_port: int | None = None
    pod: str | None = None
    notify: str | None = None


class Keepalived(Struct, frozen=True):
    """A running keepalived: the parent process and what can be read about it without asking it anything.

    Attributes:
        pid: the parent, as seen from kvtui.
        ns_pid: the parent's PID in its own PID namespace (last number of ``NSpid`` in /proc/PID/status).
        argv: its command line.
        version: such as ``2.2.7``; None when it cannot be told.
        conf: path of its config file, inside its own mount namespace.
        root: prefix that makes such a path readable from here: ``/proc/<pid>/root``, or empty when it shares
            kvtui's mount namespace.
        netns: inode of its network namespace; None when unreadable (needs CAP_SYS_PTRACE).
        mntns: inode of its mount namespace; None when unreadable.
        own_netns: whether it is in kvtui's own network namespace; None when unreadable.
        children: its child processes.
        started: when the parent started (seconds since the epoch); moves when the clock is set.
        start_ticks: clock ticks from boot to the parent's start: with ``pid`` the identity of the process.
        instance_name: ``-i`` / ``--config-id``; None when not given.
        net_namespace: ``net_namespace`` of the config or ``-s``; None when not given.
        tmpdir: where dumps are written, inside its mount namespace.
        dumps_json: whether it catches the JSON signal (bit 36 of SigCgt or SigBlk); None when unreadable.
        pid_files: its pid files and whether they are stale.
        controller: the process that owns its config; None when there is none.
        uid: effective user id.
    """

    pid: int
    ns_pid: int
    argv: tuple[str, ...]
    version: str | None
    conf: str
    root: str
    netns: int | None
    mntns: int | None
    own_netns: bool | None
    children: Children
    started: float
    instance_name: str | None = None
    net_namespace: str | None = None
    tmpdir: str = "/tmp"  # noqa: S108 - keepalived's own default, read only
    dumps_json: bool | None = None
    pid_files: tuple[PidFile, ...] = ()
    controller: Controller | None = None
    uid: int = 0
    start_ticks: int = 0

    def outside(self, path: str) -> str:
        """The path at which kvtui can open a file that keepalived names ``path``."""
        return self.root + path if path.startswith("/") else path
