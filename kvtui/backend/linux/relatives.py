"""The processes around a keepalived: its children, and the kube-keepalived-vip controller that runs it.

The children (VRRP, checker, BFD) have the same name and arguments. In this order they differ by: their pid files; their
process names (``process_names``, 2.2+); the signals that they handle, which any user may read: only the VRRP child
handles SIGUSR2 (measured on 2.2.7: SigBlk 4000000800014a03 for it, 4000000000014203 for checker and BFD); the BFD
child's UDP socket on port 3784 (RFC 5881).
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from kvtui.backend.linux import procfs
from kvtui.backend.linux.process import read_process, read_variables
from kvtui.model.keepalived import Children, Controller, parse_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.backend.linux.pid_files import PidFiles
    from kvtui.backend.linux.process import Process

BFD_PORT = ":0EC8"  # 3784 as /proc/net/udp writes it
NAME_ENDS = {"_vrrp": "vrrp", "_ipvs": "checkers", "_lvs": "checkers", "_heal": "checkers", "_bfd": "bfd"}
"""With ``process_names``: keepalived_vrrp, keepalived_ipvs (or _lvs), keepalived_bfd."""
PROGRAM = "kube-keepalived-vip"
MAX_ANCESTORS = 32


def identify_children(offspring: Sequence[Process], files: PidFiles, proc: str) -> Children:
    named = {number: kind for kind, number in (files.children or {}).items()}
    kinds: dict[str, int] = {}
    unnamed = []
    for child in offspring:
        by_name = (kind for end, kind in NAME_ENDS.items() if child.comm.endswith(end))
        if kind := named.get(child.ns_pids[-1]) or next(by_name, None):
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


def _has_bfd_socket(child: Process, proc: str) -> bool:
    inodes = procfs.sockets(child.pid, proc)
    tables = (procfs.text(f"{proc}/{child.pid}/net/{family}") for family in ("udp", "udp6"))
    rows = (line.split() for table in tables for line in table.splitlines())
    return any(len(row) > 9 and row[1].endswith(BFD_PORT) and row[9] in inodes for row in rows)


def find_controller(process: Process, proc: str) -> Controller | None:
    """The nearest ancestor of that name."""
    pid = process.parent
    for _ in range(MAX_ANCESTORS):
        ancestor = read_process(pid, proc, 0.0) if pid > 0 else None
        if ancestor is None:
            return None
        program = ancestor.argv[0].rpartition("/")[2] if ancestor.argv else ancestor.comm
        if program == PROGRAM or ancestor.comm in {PROGRAM, PROGRAM[:15]}:
            return _describe(ancestor, program, proc)
        pid = ancestor.parent
    return None


def _describe(process: Process, name: str, proc: str) -> Controller:
    flags = parse_flags(process.argv)
    env = read_variables(process.pid, ("POD_NAME", "POD_NAMESPACE", "KEEPALIVED_NOTIFY"), proc)
    named = "POD_NAME" in env and "POD_NAMESPACE" in env
    return Controller(
        pid=process.pid,
        name=name,
        argv=process.argv,
        configmap=flags.get("services-configmap"),
        vrid=_number(flags.get("vrid")),
        interface=flags.get("iface"),
        http_port=_number(flags.get("http-port")),
        pod=f"{env['POD_NAMESPACE']}/{env['POD_NAME']}" if named else None,
        notify=env.get("KEEPALIVED_NOTIFY") or None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
