"""Parses a log line of any format: splits off its time and masks secrets. Pure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime

from kvtui.model.log import LogLine
from kvtui.model.secrets import MASK, masked

_CRI = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] (.*)", re.DOTALL)
_ASCTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?:\.\d+)?( \d{4}): (.*)", re.DOTALL)
_SYSLOG = re.compile(r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S+ (\S.*)", re.DOTALL)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) \S+ (\S.*)", re.DOTALL)
_TOKEN = re.compile(r"""(?i)(\bbearer\s+|\b\w*token["']?\s*[:=]\s*["']?)[^\s"',]+""")
DAY_SECONDS = 86400.0


def line_of(raw: str, now: float, known: frozenset[str] = frozenset()) -> LogLine:
    """Parses a line of keepalived's standard error, of a container's log, or of syslog."""
    at, text = _of_container(raw)
    inner, text = _of_daemon(text, now)
    return LogLine(without_secrets(text, known), at if at is not None else inner)


def without_secrets(text: str, known: frozenset[str] = frozenset()) -> str:
    return _TOKEN.sub(lambda match: match[1] + MASK, masked(text, known))


def _of_container(raw: str) -> tuple[float | None, str]:
    """Strips the container runtime's format: CRI or Docker's JSON."""
    if match := _CRI.fullmatch(raw):
        return _iso(match[1]), match[2]
    if raw.startswith('{"log":'):
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(raw)
            return _iso(str(entry["time"])), str(entry["log"]).rstrip("\n")
    return None, raw


def _of_daemon(text: str, now: float) -> tuple[float | None, str]:
    if match := _ASCTIME.fullmatch(text):
        return _local(match[1] + match[2]), match[3]
    if match := _RFC3339.fullmatch(text):
        return _iso(match[1]), match[2]
    if match := _SYSLOG.fullmatch(text):
        year = datetime.fromtimestamp(now).astimezone().year
        at = _local(f"{match[1]} {year}")
        if at is not None and at > now + DAY_SECONDS:  # a line of December, read in January
            at = _local(f"{match[1]} {year - 1}")
        return at, match[2]
    return None, text


def _local(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y").astimezone().timestamp()
    except ValueError:
        return None


def _iso(text: str) -> float | None:
    """Parses RFC 3339; Python accepts six digits of a second, runtimes write nine."""
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
