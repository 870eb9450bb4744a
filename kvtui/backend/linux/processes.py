"""Finds every keepalived on the machine from /proc, without signals to it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.linux import procfs
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.linux.namespaces import netns_inode
from kvtui.backend.linux.pid_files import read_pid_files
from kvtui.backend.linux.process import boot_time, list_pids, read_process, read_variables
from kvtui.backend.linux.relatives import find_controller, identify_children
from kvtui.backend.linux.rooted import stat_path
from kvtui.backend.linux.version import read_version
from kvtui.model.keepalived import Keepalived, KeepalivedNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kvtui.backend.linux.process import Process

JSON_SIGNAL = 36  # SIGRTMIN + 2 on glibc; builds without JSON do not handle it
DEFAULT_CONFS = ("/etc/keepalived/keepalived.conf", "/usr/local/etc/keepalived/keepalived.conf")
DEFAULT_TMPDIR = "/tmp"  # noqa: S108 - keepalived's own default, read only
PROGRAM = re.compile(r"keepalived(-?v?\d[\w.]*)?")  # not keepalived-exporter
CONTAINER = re.compile(r"kubepods|docker|containerd|crio|libpod|lxc|podman|:/\.\.")  # :/.. is next to our own group


def find(proc: str = "/proc", *, only: int | None = None) -> tuple[Keepalived, ...]:
    """Returns all keepalived daemons: those in our own network namespace first, then unnamed ones, then by age.

    Zombies and ``keepalived -t`` are skipped. Values without permission are None.
    """
    booted = boot_time(proc)
    read = (read_process(pid, proc, booted) for pid in list_pids(proc) if _runs_keepalived(pid, proc))
    running = {p.pid: p for p in read if p and not p.zombie and parse_arguments(p.argv).daemon}
    parents = [p for p in running.values() if p.parent not in running and only in (None, p.pid)]
    found = [_describe(process, running.values(), proc) for process in parents]
    found = [k for k in found if _runs_keepalived(k.pid, proc)]  # of one that ended meanwhile only a part was read
    return tuple(
        sorted(found, key=lambda k: (not k.own_netns, (k.instance_name or k.config_id) is not None, k.started, k.pid))
    )


class Newcomers:
    """Notices that a keepalived started, by a look at processes that are new.

    A process that was just forked becomes keepalived a little later: so it is new for ``YOUNG_SECONDS``. A PID that
    was used again between two looks is missed: hence a full scan now and then.
    """

    YOUNG_SECONDS = 3.0

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._seen: dict[int, float] = {}

    def include_keepalived(self, now: float) -> bool:
        self._seen = {pid: self._seen.get(pid, now) for pid in list_pids(self._proc)}
        young = (pid for pid, first in self._seen.items() if now - first < self.YOUNG_SECONDS)
        return any(_runs_keepalived(pid, self._proc) for pid in young)


Fingerprint = tuple[tuple[int, int, str, int], ...]
"""Of a keepalived and its children: PID, start, state, handled signals."""


def fingerprint(keepalived: Keepalived, proc: str = "/proc") -> Fingerprint:
    """Returns what differs when the process or one of its children is another, stops, or comes to handle signals.

    Cheaper than ``find``: two small files for each process.
    """
    pids = (keepalived.pid, *procfs.children(keepalived.pid, proc))
    return tuple((pid, *procfs.vitals(pid, proc)) for pid in pids)


def is_same(before: Fingerprint, now: Fingerprint) -> bool:
    """Returns whether nothing differs; signals that are no longer read (``procfs.vitals``) do not."""
    pairs = zip(before, now, strict=False)
    return len(before) == len(now) and all(old[:3] == new[:3] and new[3] in {old[3], 0} for old, new in pairs)


def root_of(pid: int, proc: str = "/proc") -> str | None:
    process = read_process(pid, proc)
    return None if process is None or process.zombie else _root(process, proc)


def choose(found: Sequence[Keepalived], pid: int | None = None) -> Keepalived | None:
    """Returns the one of which ``pid`` (``--pid``) is the parent or a child; of the result of ``find``.

    Without a PID: the first in our own network namespace, else the first. Raises KeepalivedNotFoundError.
    """
    if pid is None:
        return next((k for k in found if k.own_netns), found[0] if found else None)
    for keepalived in found:
        children = keepalived.children
        if pid in {keepalived.pid, children.vrrp, children.checker, children.bfd}:
            return keepalived
    known = "; ".join(f"{k.pid} ({k.conf})" for k in found)
    more = f"; found: {known}" if found else ", and none runs here"
    raise KeepalivedNotFoundError(f"process {pid} is not a keepalived{more}")


def _runs_keepalived(pid: int, proc: str) -> bool:
    """Compares the program; without permission, the command line, which any user may read."""
    name = procfs.program(pid, proc)
    if name is None:
        name = procfs.text(f"{proc}/{pid}/cmdline").partition("\0")[0].rpartition("/")[2]
    return PROGRAM.fullmatch(name) is not None


def _describe(process: Process, processes: Iterable[Process], proc: str) -> Keepalived:
    pid, arguments = process.pid, parse_arguments(process.argv)
    netns = netns_inode(pid, proc)
    own = netns_inode("self", proc)
    root = _root(process, proc)
    offspring = [p for p in processes if p.parent == pid]
    strangers = _strangers(process, processes, proc)
    child_pids = {p.ns_pids[-1] for p in offspring}
    files = read_pid_files(root, arguments.pid_files, process.ns_pids[-1], child_pids, strangers)
    tmpdir = read_variables(pid, ("TMPDIR",), proc).get("TMPDIR", "")
    return Keepalived(
        pid=pid,
        ns_pid=process.ns_pids[-1],
        argv=process.argv,
        version=read_version(f"{proc}/{pid}/exe"),
        conf=_conf(process, root, proc),
        root=root,
        netns=netns,
        mntns=procfs.namespace_inode(pid, "mnt", proc),
        own_netns=None if netns is None or own is None else netns == own,
        children=identify_children(offspring, files, proc),
        started=process.started,
        start_ticks=process.start_ticks,
        config_id=arguments.config_id,
        instance_name=files.instance,
        net_namespace=arguments.net_namespace,
        tmpdir=tmpdir if tmpdir.startswith("/") else DEFAULT_TMPDIR,
        dumps_json=process.handles(JSON_SIGNAL),
        pid_files=files.files,
        controller=find_controller(process, proc),
        uid=process.uid,
    )


def _strangers(parent: Process, processes: Iterable[Process], proc: str) -> set[int]:
    """Returns the PIDs, in its PID namespace, of other keepalived processes than its own family."""
    space = procfs.namespace_inode(parent.pid, "pid", proc)
    others = (p for p in processes if parent.pid not in {p.pid, p.parent})
    return {p.ns_pids[-1] for p in others if procfs.namespace_inode(p.pid, "pid", proc) == space}


def _root(process: Process, proc: str) -> str:
    """Returns the prefix of its paths; empty when it shares our mount namespace.

    Without permission to compare the namespaces, a process counts as sharing ours when it is in our PID namespace, in
    no container's control group, and its config exists for us too: so an ordinary user sees an ordinary daemon's
    config. In a pod with ``shareProcessNamespace`` only the last two tests differ.
    """
    theirs, ours = (procfs.namespace_inode(pid, "mnt", proc) for pid in (process.pid, "self"))
    if theirs is not None and ours is not None:
        return "" if theirs == ours else f"{proc}/{process.pid}/root"
    contained = CONTAINER.search(procfs.cgroup(process.pid, proc))
    same = contained is None and len(process.ns_pids) == len(procfs.ns_pids("self", proc))
    return "" if same and _exists("", _conf(process, "", proc)) else f"{proc}/{process.pid}/root"


def _conf(process: Process, root: str, proc: str) -> str:
    conf = parse_arguments(process.argv).conf
    if conf is None:
        return next((path for path in DEFAULT_CONFS if _exists(root, path)), DEFAULT_CONFS[0])
    return conf if conf.startswith("/") else str(Path(procfs.link(f"{proc}/{process.pid}/cwd"), conf))


def _exists(root: str, path: str) -> bool:
    with suppress(OSError):
        stat_path(path, root)
        return True
    return False
