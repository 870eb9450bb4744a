"""Reads ``auth_hmac`` of an instance (keepalived 2.4, ``vrrp_auth_hmac_*_handler``): everything but the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.conf.tree import integer, is_built_in
from kvtui.model.vrrp import AuthHmac, HmacMode

if TYPE_CHECKING:
    from kvtui.backend.conf.tree import Problems, Statement

MIN_KEY_BYTES, MAX_KEY_BYTES = 32, 64
MIN_WINDOW, DEFAULT_WINDOW, MAX_WINDOW = 1, 5, 300  # seconds; the default is three advert intervals, but at least this


def auth_hmac(block: Statement, problems: Problems) -> AuthHmac | None:
    """Returns what an instance's ``auth_hmac`` sets; None without one, or when keepalived disables it."""
    found = block.last("auth_hmac")
    if found is None:
        return None
    mode, active, window, monotonic = HmacMode.ENFORCE, 0, 0, False
    keys: list[int] = []
    for line in block.entries("auth_hmac"):
        value, number = line.argument or "", integer(line.argument)
        if line.keyword == "mode" and value in set(HmacMode):
            mode = HmacMode(value)
        elif line.keyword == "active_key":
            active = number or 0
        elif line.keyword == "time_window" and number is not None and MIN_WINDOW <= number <= MAX_WINDOW:
            window = number
        elif line.keyword == "anti_replay":
            monotonic = value == "monotonic"
        elif line.keyword == "key" and (key := _key(line, keys, problems)) is not None:
            keys.append(key)
    if active not in keys:
        if not is_built_in(found.argument):
            message = f"auth_hmac: active_key {active} is not a valid key: keepalived disables auth_hmac"
            problems.invalid(message, found.at())
        return None
    usual = max(DEFAULT_WINDOW, min(MAX_WINDOW, 3 * int(block.decimal("advert_int") or 1)))
    return AuthHmac(mode, active, tuple(keys), None if monotonic else window or usual)


def _key(line: Statement, known: list[int], problems: Problems) -> int | None:
    """Returns the id of a ``key ID VALUE`` that keepalived accepts. A file's contents are not read."""
    number = integer(line.argument)
    value = line.words[2] if len(line.words) > 2 else ""
    size = (len(value) - 3) // 2 if value.startswith("hex:") else len(value.encode())
    wrong = ""
    if number is None or not 1 <= number <= 255 or len(line.words) < 3:
        wrong = "auth_hmac: a key needs an id from 1 to 255 and a value: keepalived skips it"
    elif number in known:
        wrong = f"auth_hmac: key {number} is already defined: keepalived skips this one"
    elif not value.startswith(("file:", "$")) and not MIN_KEY_BYTES <= size <= MAX_KEY_BYTES:
        wrong = f"auth_hmac: key {number} must have {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes: keepalived skips it"
    if wrong:
        problems.invalid(wrong, line.at())
        return None
    return number
