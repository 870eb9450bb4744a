"""Reads the health checks of a real server (``check_misc.c``, ``check_tcp.c``, ``check_http.c``)."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.check import CONNECT_TIMEOUT, DEFAULT_DELAY, MISC, SCRIPT, Check, Url
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.backend.conf.tree import Statement
    from kvtui.model.conf import ConfInstance

_RANGE = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?")
_OTHERS = {"SMTP_CHECK", "DNS_CHECK", "UDP_CHECK", "PING_CHECK", "FILE_CHECK", "BFD_CHECK"}


def checks(vrrp: Statement, checker: Statement, instances: Iterable[ConfInstance]) -> tuple[Check, ...]:
    """Reads all ``vrrp_script`` blocks and all checks of real servers, as the two processes see them."""
    scripts = [_script(block, instances) for block in vrrp.each("vrrp_script") if block.argument]
    reals = [
        check
        for server in checker.each("virtual_server")
        for real in server.each("real_server")
        for check in _of_real(server, real)
    ]
    return (*scripts, *reals)


def _script(block: Statement, instances: Iterable[ConfInstance]) -> Check:
    name = block.argument or ""
    weight = block.integer("weight") or 0
    effects = [
        f"{instance.name}: {_effect(weight if track.weight is None else track.weight)}"
        for instance in instances
        for track in instance.tracks
        if track.kind == "script" and track.name == name
    ]
    return Check(
        SCRIPT,
        name,
        argv=_command(block.last("script")),
        user=_user(block),
        timeout=block.decimal("timeout") or block.decimal("interval") or 1.0,
        tries=block.integer("fall") or 1,
        consequence=", ".join(effects),
        at=str(block.at()),
    )


def _effect(weight: int) -> str:
    """Returns what a failure does: a negative weight is added to the priority, a positive one is not added any more."""
    if not weight:
        return "FAULT"
    return f"priority {weight}" if weight < 0 else f"priority without its +{weight}"


def _of_real(server: Statement, real: Statement) -> Iterator[Check]:
    inhibit = any(s.last("inhibit_on_failure") is not None for s in (server, real))
    target = server.words[1:3]
    is_address = target and target[0] not in {"fwmark", "group"}
    service = endpoint(target[0], _port(server)) if is_address else " ".join(target)
    for line in real.children or ():
        if line.keyword in {MISC, "TCP_CHECK", "HTTP_GET", "SSL_GET", *_OTHERS}:
            check = Check(
                line.keyword,
                endpoint(real.argument or "", _port(real, server)),
                service,
                consequence="sets weight 0 for" if inhibit else "removes",
                at=str(line.at()),
            )
            yield _misc(check, line, real, server) if line.keyword == MISC else _network(check, line, real, server)


def _port(*servers: Statement) -> int:
    return next((int(word) for server in servers for word in server.words[2:3] if word.isdecimal()), 0)


def _misc(check: Check, *scopes: Statement) -> Check:
    """Completes a MISC_CHECK from its block, its real server and its virtual server: the innermost value counts."""
    line = scopes[0]
    delay = next((d for scope in scopes if (d := scope.decimal("delay_loop"))), DEFAULT_DELAY)
    return replace(
        check,
        argv=_command(line.last("misc_path")),
        user=_user(line),
        timeout=line.decimal("misc_timeout") or delay,
        dynamic=line.last("misc_dynamic") is not None,
        tries=_tries(scopes),
    )


def _network(check: Check, *scopes: Statement) -> Check:
    line, real, _server = scopes
    return replace(
        check,
        timeout=line.decimal("connect_timeout") or CONNECT_TIMEOUT,
        address=line.value("connect_ip") or real.argument,
        port=line.integer("connect_port") or _port(*scopes[1:]),
        urls=tuple(_url(url) for url in line.each("url")),
        virtualhost=next((host for scope in scopes if (host := scope.value("virtualhost"))), None),
        bind=line.value("bindto"),
        tries=_tries(scopes),
    )


def _tries(scopes: Iterable[Statement]) -> int:
    return 1 + next((retry for scope in scopes if (retry := scope.integer("retry")) is not None), 0)


def _url(line: Statement) -> Url:
    codes = line.last("status_code")
    matches = [_RANGE.fullmatch(word) for word in codes.words[1:]] if codes else []
    ranges = tuple((int(m[1]), int(m[2] or m[1])) for m in matches if m)
    return Url(
        path=line.value("path") or "/",
        digest=line.value("digest"),
        statuses=ranges or ((200, 299),),
        virtualhost=line.value("virtualhost"),
        regex=line.last("regex", "regex_no_match") is not None,
    )


def _user(block: Statement) -> str | None:
    """``user NAME [GROUP]``."""
    line = block.last("user")
    return " ".join(line.words[1:]) if line and line.argument else None


def _command(line: Statement | None) -> tuple[str, ...]:
    """Returns program and arguments; one quoted word is split, as keepalived does (``set_script_params_array``)."""
    words = line.words[1:] if line else []
    if len(words) != 1:
        return tuple(words)
    try:
        return tuple(shlex.split(words[0]))
    except ValueError:  # an open quote
        return tuple(words[0].split())
