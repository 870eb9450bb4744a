"""Every keepalived on the machine, found in /proc from outside its namespaces; it is asked nothing and not disturbed.

The parent and its children have the same name and arguments. The children are told apart by, in this order:
their pid files; their process names (``process_names``, 2.2+); the signals that they handle, which anybody may read:
only the VRRP child takes SIGUSR2 (measured on 2.2.7: SigBlk 4000000800014a03 for it, 4000000000014203 for
checker and BFD); and of the latter two, the BFD child by its UDP socket on port 3784 (RFC 5881).
"""

from __future__ import annotations

import mmap
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend import procfs
from kvtui.backend.arguments import Arguments, parse_arguments
from kvtui.backend.namespaces import mntns_inode, netns_inode, ns_pids, pidns_inode, resolve_inside
from kvtui.backend.pid_files import Family, PidFiles, read_pid_files
from kvtui.model.keepalived import Children, Controller, Keepalived

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kvtui.backend.procfs import Process

JSON_SIGNAL = 36  # SIGRTMIN + 2 on glibc; builds without JSON leave it alone
DEFAULT_CONFS = ("/etc/keepalived/keepalived.conf", "/usr/local/etc/keepalived/keepalived.conf")
DEFAULT_TMPDIR = "/tmp"  # noqa: S108 - keepalived's own default, read only
PROGRAM = re.compile(r"keepalived(-?v?\d[\w.]*)?")  # not keepalived-exporter
CONTROLLER = "kube-keepalived-vip"
CONTAINER = re.compile(r"kubepods|docker|containerd|crio|libpod|lxc|podman|:/\.\.")  # :/.. is beside our own group
BFD_PORT = ":0EC8"  # 3784 as /proc/net/udp writes it
LARGEST_PROGRAM = 64 << 20


class NoSuchKeepalived(LookupError):  # noqa: N818 - reads as what it says
    """``--pid`` names no keepalived."""


def find(proc: str = "/proc", *, only: int | None = None) -> tuple[Keepalived, ...]:
    """All running keepalived daemons: those in our own network namespace first, then unnamed ones, then by age.

    Processes that vanish meanwhile, zombies and ``keepalived -t`` are left out. What may not be read is None.

    Args:
        proc: where procfs is.
        only: PID of the one parent that is asked for, where others would be looked at for nothing.
    """
    booted = procfs.boot_time(proc)
    running = {}
    for pid in procfs.pids(proc):
        if _runs_keepalived(pid, proc) and (process := procfs.read(pid, proc, booted)) and not process.zombie:
            arguments = parse_arguments(process.argv)
            if arguments.daemon:
                running[pid] = (process, arguments)
    processes = [process for process, _ in running.values()]
    found = [
        _describe(process, arguments, processes, proc)
        for process, arguments in running.values()
        if process.parent not in running and only in (None, process.pid)
    ]
    return tuple(sorted(found, key=lambda k: (not k.own_netns, k.instance_name is not None, k.started, k.pid)))


def root_of(pid: int, proc: str = "/proc") -> str | None:
    """``Keepalived.root`` of one parent; None when it is gone. The rest of it is not looked at."""
    process = procfs.read(pid, proc)
    return None if process is None or process.zombie else _root(process, parse_arguments(process.argv), proc)


def choose(found: Sequence[Keepalived], pid: int | None = None) -> Keepalived | None:
    """The keepalived to look at.

    Args:
        found: what ``find`` gave, in its order.
        pid: the parent or any child of it, as ``--pid`` names it.

    Returns:
        The one in our own network namespace (without an instance name first, then the oldest), else the first; None
        when there is none at all.

    Raises:
        NoSuchKeepalived: ``pid`` is not one of theirs; the message lists those there are.
    """
    if pid is None:
        return next((k for k in found if k.own_netns), found[0] if found else None)
    for keepalived in found:
        children = keepalived.children
        if pid in {keepalived.pid, children.vrrp, children.checker, children.bfd}:
            return keepalived
    known = "; ".join(f"{k.pid} ({k.conf})" for k in found)
    raise NoSuchKeepalived(
        f"process {pid} is no keepalived; found: {known}"
        if found
        else f"process {pid} is no keepalived, and none runs here"
    )


def _runs_keepalived(pid: int, proc: str) -> bool:
    """By its program; where that is unreadable, by the command line, which anybody may read."""
    name = procfs.program(pid, proc)
    if name is None:
        words = procfs.argv(pid, proc)
        name = words[0].rpartition("/")[2] if words else ""
    return PROGRAM.fullmatch(name) is not None


def _describe(process: Process, arguments: Arguments, processes: Iterable[Process], proc: str) -> Keepalived:
    pid = process.pid
    netns = netns_inode(pid, proc)
    own = netns_inode("self", proc)
    root = _root(process, arguments, proc)
    offspring = [p for p in processes if p.parent == pid]
    files = read_pid_files(root, arguments.pid_files, _family(process, offspring, processes, proc))
    tmpdir = procfs.variables(pid, ("TMPDIR",), proc).get("TMPDIR", "")
    return Keepalived(
        pid=pid,
        ns_pid=process.ns_pids[-1],
        argv=process.argv,
        version=_version(f"{proc}/{pid}/exe"),
        conf=_conf(process, arguments, root, proc),
        root=root,
        netns=netns,
        mntns=mntns_inode(pid, proc),
        own_netns=None if netns is None or own is None else netns == own,
        children=_children(offspring, files, proc),
        started=process.started,
        instance_name=files.instance or arguments.config_id,
        net_namespace=arguments.net_namespace,
        tmpdir=tmpdir if tmpdir.startswith("/") else DEFAULT_TMPDIR,
        dumps_json=process.handles(JSON_SIGNAL),
        pid_files=files.files,
        controller=_controller(process, proc),
        uid=process.uid,
    )


def _family(parent: Process, offspring: Sequence[Process], processes: Iterable[Process], proc: str) -> Family:
    """Who may be named in its pid files, and who, living in the same PID namespace, owns other files."""
    ours = {parent.pid, *(p.pid for p in offspring)}
    namespace = pidns_inode(parent.pid, proc)
    strangers = (p for p in processes if p.pid not in ours and pidns_inode(p.pid, proc) == namespace)
    return Family(
        parent=parent.ns_pids[-1],
        children=frozenset(p.ns_pids[-1] for p in offspring),
        strangers=frozenset(p.ns_pids[-1] for p in strangers),
    )


def _root(process: Process, arguments: Arguments, proc: str) -> str:
    """Empty when it shares our mount namespace.

    Without the right to compare them, a process in our own PID namespace, in no container's control group and whose
    config is there for us too is taken to share it, so that an ordinary user still sees the config of an ordinary
    daemon. The containers of a pod with ``shareProcessNamespace`` are told apart by the latter two alone.
    """
    theirs, ours = mntns_inode(process.pid, proc), mntns_inode("self", proc)
    if theirs is not None and ours is not None:
        return "" if theirs == ours else f"{proc}/{process.pid}/root"
    contained = CONTAINER.search(procfs.text(f"{proc}/{process.pid}/cgroup"))
    same = contained is None and len(process.ns_pids) == len(ns_pids("self", proc))
    return "" if same and _exists("", _conf(process, arguments, "", proc)) else f"{proc}/{process.pid}/root"


def _conf(process: Process, arguments: Arguments, root: str, proc: str) -> str:
    """Path of the config inside its mount namespace: ``-f``, or the first default that exists there."""
    if arguments.conf is None:
        return next((path for path in DEFAULT_CONFS if _exists(root, path)), DEFAULT_CONFS[0])
    if arguments.conf.startswith("/"):
        return arguments.conf
    folder = procfs.link(f"{proc}/{process.pid}/cwd")
    return str(Path(folder) / arguments.conf)


def _exists(root: str, path: str) -> bool:
    try:
        return Path(resolve_inside(root, path)).exists()
    except OSError:
        return False


def _children(offspring: Sequence[Process], files: PidFiles, proc: str) -> Children:
    """Who is who: see the module's text."""
    named = {number: kind for kind, number in (files.children or {}).items()}
    kinds: dict[str, int] = {}
    unnamed = []
    for child in offspring:
        if kind := named.get(child.ns_pids[-1]) or _kind_by_name(child):
            kinds.setdefault(kind, child.pid)
        else:
            unnamed.append(child)
    for child in unnamed:
        kinds.setdefault(_kind_by_behaviour(child, proc), child.pid)
    return Children(vrrp=kinds.get("vrrp"), checker=kinds.get("checkers"), bfd=kinds.get("bfd"))


def _kind_by_behaviour(child: Process, proc: str) -> str:
    if child.handles(signal.SIGUSR2):
        return "vrrp"
    return "bfd" if _has_bfd_socket(child, proc) else "checkers"


def _kind_by_name(child: Process) -> str | None:
    """``process_names`` makes them call themselves keepalived_vrrp, keepalived_ipvs (or _lvs), keepalived_bfd."""
    ends = {"_vrrp": "vrrp", "_ipvs": "checkers", "_lvs": "checkers", "_heal": "checkers", "_bfd": "bfd"}
    return next((kind for end, kind in ends.items() if child.comm.endswith(end)), None)


def _has_bfd_socket(child: Process, proc: str) -> bool:
    inodes = procfs.sockets(child.pid, proc)
    for family in ("udp", "udp6"):
        rows = [line.split() for line in procfs.text(f"{proc}/{child.pid}/net/{family}").splitlines()]
        if any(len(row) > 9 and row[1].endswith(BFD_PORT) and row[9] in inodes for row in rows):
            return True
    return False


_versions: dict[tuple[int, int, int], str | None] = {}  # a program on disk → its version: a megabyte is read but once


def _version(program: str) -> str | None:
    """The version that the program says of itself, read from its bytes; nothing is run."""
    try:
        with Path(program).open("rb") as file:
            status = os.fstat(file.fileno())
            key = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if key not in _versions:
                _versions[key] = _search_version(file.fileno(), status.st_size)
    except OSError:
        return None
    return _versions[key]


def _search_version(fd: int, size: int) -> str | None:
    if not 0 < size <= LARGEST_PROGRAM:
        return None
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as content:
        match = re.search(rb"Keepalived v(\d+\.\d+[\w.]*)", content)
        return match[1].decode() if match else None


def _controller(process: Process, proc: str) -> Controller | None:
    """The nearest ancestor that is a keepalived-vip controller."""
    pid = process.parent
    for _ in range(32):
        ancestor = procfs.read(pid, proc, 0.0) if pid > 0 else None
        if ancestor is None:
            return None
        program = ancestor.argv[0].rpartition("/")[2] if ancestor.argv else ancestor.comm
        if program == CONTROLLER or ancestor.comm == CONTROLLER[:15]:
            return _controller_from(ancestor, program, proc)
        pid = ancestor.parent
    return None


def _controller_from(process: Process, name: str, proc: str) -> Controller:
    flags = _flags(process.argv)
    env = procfs.variables(process.pid, ("POD_NAME", "POD_NAMESPACE", "KEEPALIVED_NOTIFY"), proc)
    named = "POD_NAME" in env and "POD_NAMESPACE" in env
    pod = f"{env['POD_NAMESPACE']}/{env['POD_NAME']}" if named else None
    return Controller(
        pid=process.pid,
        name=name,
        argv=process.argv,
        configmap=flags.get("services-configmap"),
        vrid=_number(flags.get("vrid")),
        interface=flags.get("iface"),
        http_port=_number(flags.get("http-port")),
        pod=pod,
        notify=env.get("KEEPALIVED_NOTIFY") or None,
    )


def _flags(argv: Sequence[str]) -> dict[str, str]:
    """``--name=value`` and ``--name value`` (pflag); a flag without a value is an empty one."""
    flags: dict[str, str] = {}
    for word, following in zip(argv[1:], (*argv[2:], ""), strict=True):
        if not word.startswith("--"):
            continue
        name, joined, value = word[2:].partition("=")
        flags[name] = value if joined or following.startswith("-") else following
    return flags


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
