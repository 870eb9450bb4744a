"""A line of the log, from any writer: its time and its text, without secrets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kvtui.backend.keepalived.log.lines import line_of
from kvtui.model.log import LogLine

AT = datetime(2026, 11, 24, 18, 26, 7, tzinfo=UTC).timestamp()
LOCAL = datetime(2026, 11, 24, 18, 26, 7).astimezone().timestamp()
NOW = LOCAL + 60
MESSAGE = "(vi) Entering BACKUP STATE (init)"


@pytest.mark.parametrize(
    ("raw", "text", "at"),
    [
        # keepalived 2.2.7 with --log-console
        (f"Tue Nov 24 18:26:07 2026: {MESSAGE}", MESSAGE, LOCAL),
        (f"Tue Nov 24 18:26:07.123456 2026: {MESSAGE}", MESSAGE, LOCAL),
        # the same through containerd (the fraction has nine digits), and Docker's JSON
        (f"2026-11-24T18:26:07.000000999Z stderr F Tue Nov 24 17:26:07 2026: {MESSAGE}", MESSAGE, AT),
        ("2026-11-24T19:26:07+01:00 stdout P half a line", "half a line", AT),
        (f'{{"log":"{MESSAGE}\\n","stream":"stderr","time":"2026-11-24T18:26:07.5Z"}}', MESSAGE, AT + 0.5),
        ('{"log": broken', '{"log": broken', None),
        # syslog, with and without a year
        (f"Nov 24 18:26:07 node-a Keepalived_vrrp[12]: {MESSAGE}", f"Keepalived_vrrp[12]: {MESSAGE}", LOCAL),
        (f"2026-11-24T18:26:07+00:00 node-a Keepalived[1]: {MESSAGE}", f"Keepalived[1]: {MESSAGE}", AT),
        ("Mon Foo 99 18:26:07 2026: no such month", "no such month", None),
        ("no time at all", "no time at all", None),
        ("", "", None),
    ],
)
def test_a_line(raw: str, text: str, at: float | None) -> None:
    assert line_of(raw, NOW) == LogLine(text, at)


def test_a_line_of_december_read_in_january_is_of_last_year() -> None:
    january = datetime(2027, 1, 1, 0, 0, 5).astimezone().timestamp()
    line = line_of("Dec 31 23:59:59 node-a Keepalived[1]: Stopping", january)
    assert line.at == january - 6


@pytest.mark.parametrize(
    "raw",
    [
        "Tue Nov 24 18:26:07 2026:    Auth pass = s3cr3tpw",
        "Tue Nov 24 18:26:07 2026: (Line 9) auth_pass s3cr3tpw",
        "E1124 reflector.go:1 Unauthorized: Bearer s3cr3tpw, retrying",
        'I1124 config: {"token": "s3cr3tpw"}',
        "refresh_token=s3cr3tpw",
        # a secret of the config: keepalived logs words that it does not know
        "Tue Nov 24 18:26:07 2026: (Line 9) Unknown keyword 's3cr3tpw'",
    ],
)
def test_secrets_are_dropped(raw: str) -> None:
    line = line_of(raw, NOW, frozenset({"s3cr3tpw"} if "keyword" in raw else ()))
    assert "s3cr3tpw" not in line.text
    assert "********" in line.text
