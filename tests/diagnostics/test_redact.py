"""Secrets do not reach the debug log or a crash report."""

from __future__ import annotations

import pytest

from kvtui.backend.diagnostics.redact import redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrdnR1aSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        "auth_pass hunter2",
        '    auth_pass "hunter2 hunter2"',
        '"auth_data": "hunter2"',
        "{'auth_pass': 'hunter2'}",
        "token: hunter2",
        "token=hunter2",
        "KVTUI_TOKEN=hunter2",
        "Authorization: Bearer hunter2",
        "authorization: Basic hunter2",
        f"got {JWT} hunter2".replace(" hunter2", ""),
        "client-key-data: hunter2",
        "api_key=hunter2",
        "https://someone:hunter2@proxy:3128/",
        "-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2 cut off",
    ],
)
def test_secrets_are_removed(text: str) -> None:
    found = redact(f"before {text}\nafter")
    assert "hunter2" not in found
    assert "eyJ" not in found
    assert found.startswith("before ")


@pytest.mark.parametrize(
    "text", ["source conf: ok", "auth_type PASS", "10.2.68.5:8080 weight 0", "keepalived: PID 7, 2.2.7, /etc/k.conf"]
)
def test_other_text_is_kept(text: str) -> None:
    assert redact(text) == text


def test_control_characters_are_removed() -> None:
    assert "\x1b" not in redact("a\x1b[2Jb\u202ec")
    assert "\u202e" not in redact("a\x1b[2Jb\u202ec")
