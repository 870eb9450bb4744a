"""Parses keepalived.json, versions 1 and 2 (vrrp/vrrp_json.c)."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from kvtui.backend.keepalived.dumps.text import IncompleteDumpError, virtual_address
from kvtui.model.vrrp import AddressFamily, VrrpInstance, VrrpState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.vrrp import VirtualAddress

STATES: dict[int | None, VrrpState] = {0: VrrpState.INIT, 1: VrrpState.BACKUP, 2: VrrpState.MASTER, 3: VrrpState.FAULT}
AUTH_TYPES: dict[int | None, str] = {1: "PASS", 2: "AH"}


def parse_json(text: str) -> tuple[VrrpInstance, ...]:
    """Returns the instances with their counters, without the password; IncompleteDumpError if the text is cut off."""
    document = _load(text)
    if isinstance(document, dict):  # json_version 2
        document = document.get("vrrp", [])
    if not isinstance(document, list):
        raise IncompleteDumpError("the JSON dump has no list of VRRP instances")
    return tuple(instance for entry in document if (instance := _instance(entry)) is not None)


def _load(text: str) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(text, parse_constant=_refuse)
    # keepalived < 2.0.17 writes an apostrophe as \', which is not JSON
    fixed = re.sub(r"\\(.)", lambda escape: "'" if escape[1] == "'" else escape[0], text)
    try:
        return json.loads(fixed, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise IncompleteDumpError("the JSON dump does not parse (yet)") from None


def _refuse(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _instance(entry: Any) -> VrrpInstance | None:
    data = entry.get("data") if isinstance(entry, dict) else None
    if not isinstance(data, dict) or not (name := _string(data, "iname")):
        return None
    state = STATES.get(_whole(data, "state"), VrrpState.UNKNOWN)
    stats = entry["stats"] if isinstance(entry.get("stats"), dict) else {}
    vips = (*_addresses(data, "vips"), *_addresses(data, "evips", excluded=True))
    return VrrpInstance(
        name=name,
        state=state,
        interface=_string(data, "ifp_ifname"),
        vrid=_whole(data, "vrid"),
        version=_whole(data, "version"),
        family=AddressFamily.of(vips[0].address) if vips else None,
        wanted_state=STATES.get(_whole(data, "wantstate")),
        base_priority=_whole(data, "base_priority"),
        effective_priority=_whole(data, "effective_priority"),
        nopreempt=_flag(data, "nopreempt"),
        preempt_delay=_decimal(data, "preempt_delay"),
        advert_interval=_decimal(data, "adver_int") or None,
        master_advert_interval=_decimal(data, "master_adver_int") or None,
        # 0 in BACKUP: no advert was received yet, or the master stepped down
        master_priority=(_whole(data, "master_priority") or None) if state is VrrpState.BACKUP else None,
        last_transition=_decimal(data, "last_transition"),
        vips=vips,
        auth_type=AUTH_TYPES.get(_whole(data, "auth_type")),
        counters={name: number for name in stats if (number := _whole(stats, name)) is not None},
        strict=_flag(data, "strict_mode"),
        accept=_flag(data, "accept"),
        tracks_interface=not _flag(data, "dont_track_primary"),
        vmac=_string(data, "vmac_ifname") or "",
    )


def _addresses(data: dict[str, Any], name: str, *, excluded: bool = False) -> Iterator[VirtualAddress]:
    listed = data.get(name)
    for text in listed if isinstance(listed, list) else ():
        if isinstance(text, str) and (vip := virtual_address(_clean(text), excluded=excluded)) is not None:
            yield vip


def _flag(data: dict[str, Any], key: str) -> bool | None:
    return bool(data[key]) if isinstance(data.get(key), bool | int) else None


def _whole(data: dict[str, Any], key: str) -> int | None:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _decimal(data: dict[str, Any], key: str) -> float | None:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e18 < value < 1e18:
        return None
    return float(value)


def _string(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    return _clean(value) if isinstance(value, str) and value else None


def _clean(text: str) -> str:
    """Replaces lone surrogates, which no terminal can print."""
    return text.encode("utf-8", "replace").decode()
