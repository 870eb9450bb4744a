"""Reads the health checks of a real server (``check_misc.c``, ``check_tcp.c``, ``check_http.c``)."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from kvtui.model.check import CONNECT_TIMEOUT, DEFAULT_DELAY, MISC, SCRIPT, Check, Url
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        for block in server.each("real_server")
        for check in _of_real(server, block)
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
        argv=command_words(block.last("script")),
        user=words_of(block, "user"),
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


def _of_real(server: Statement, block: Statement) -> tuple[Check, ...]:
    inhibit = any(s.last("inhibit_on_failure") is not None for s in (server, block))
    consequence = "sets weight 0 for" if inhibit else "removes"
    target = server.words[1:3]
    port = next((int(w) for words in (block.words, server.words) for w in words[2:3] if w.isdecimal()), 0)
    name = endpoint(block.argument or "", port)
    service = " ".join(target) if not target or target[0] in {"fwmark", "group"} else endpoint(target[0], _port(target))
    return tuple(
        _check(line, server, block, Check(line.keyword, name, service, consequence=consequence, at=str(line.at())))
        for line in block.children or ()
        if line.keyword in {MISC, "TCP_CHECK", "HTTP_GET", "SSL_GET", *_OTHERS}
    )


def _port(target: list[str]) -> int:
    return int(target[1]) if target[1:] and target[1].isdecimal() else 0


def _check(line: Statement, server: Statement, block: Statement, base: Check) -> Check:
    fields = {name: getattr(base, name) for name in ("kind", "name", "service", "consequence", "at")}
    retry = next((r for s in (line, block, server) if (r := s.integer("retry")) is not None), None)
    if base.kind == MISC:
        delay = next((d for s in (line, block, server) if (d := s.decimal("delay_loop"))), DEFAULT_DELAY)
        return Check(
            **fields,
            argv=command_words(line.last("misc_path")),
            user=words_of(line, "user"),
            timeout=line.decimal("misc_timeout") or delay,
            dynamic=line.last("misc_dynamic") is not None,
            tries=1 + (retry or 0),
        )
    host = next((h for s in (line, block, server) if (h := s.value("virtualhost"))), None)
    return Check(
        **fields,
        timeout=line.decimal("connect_timeout") or CONNECT_TIMEOUT,
        address=line.value("connect_ip") or block.argument,
        port=line.integer("connect_port") or _port_of(base.name),
        urls=tuple(_url(url) for url in line.each("url")),
        virtualhost=host,
        bind=line.value("bindto"),
        tries=1 + (retry if retry is not None else 0),
    )


def _url(line: Statement) -> Url:
    codes = line.last("status_code")
    matches = [_RANGE.fullmatch(word) for word in codes.words[1:]] if codes else []
    ranges = tuple((int(m[1]), int(m[2] or m[1])) for m in matches if m)
    return Url(
        path=line.value("path") or "/",
        digest=line.value("digest"),
        statuses=ranges or ((200, 299),),
        virtualhost=line.value("virtualhost"),
        regex=line.last("regex") is not None or line.last("regex_no_match") is not None,
    )


def _port_of(name: str) -> int:
    port = name.rpartition(":")[2]
    return int(port) if port.isdecimal() else 0


def words_of(block: Statement, keyword: str) -> str | None:
    """Returns all words after a keyword (``user NAME [GROUP]``)."""
    line = block.last(keyword)
    return " ".join(line.words[1:]) if line and line.argument else None


def command_words(line: Statement | None) -> tuple[str, ...]:
    """Returns program and arguments; one quoted word is split, as keepalived does (``set_script_params_array``)."""
    words = line.words[1:] if line else []
    if len(words) != 1:
        return tuple(words)
    try:
        return tuple(shlex.split(words[0]))
    except ValueError:  # an open quote
        return tuple(words[0].split())
