"""The kube-keepalived-vip controller that runs a keepalived: the nearest ancestor of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.linux.process import read_process, read_variables
from kvtui.model.keepalived import Controller, parse_flags

if TYPE_CHECKING:
    from kvtui.backend.linux.process import Process

PROGRAM = "kube-keepalived-vip"
MAX_ANCESTORS = 32


def find_controller(process: Process, proc: str) -> Controller | None:
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
