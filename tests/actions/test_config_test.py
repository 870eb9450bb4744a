"""kvtui reads the messages of ``keepalived -t`` and masks passwords in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.conf.copies import difference, saved_lines
from kvtui.backend.config_test import ConfigMessage, messages
from kvtui.model.secrets import MASK, masked, secrets_in

if TYPE_CHECKING:
    from pathlib import Path


def test_each_message_is_kept_once_with_its_file() -> None:
    output = "(Line 12) Unknown keyword 'a'\n(/e/k.conf: Line 12) Unknown keyword 'a'\n(vips) Unknown interface!\n\n"
    assert messages(output, frozenset(), {}) == (
        ConfigMessage("Unknown keyword 'a'", "/e/k.conf", 12),
        ConfigMessage("(vips) Unknown interface!"),
    )


def test_the_memory_file_has_a_readable_name() -> None:
    [message] = messages("(/proc/self/fd/7: Line 3) x", frozenset(), {"/proc/self/fd/7": "the running config"})
    assert str(message) == "the running config:3: x"


def test_a_password_in_a_message_is_masked() -> None:
    [message] = messages("(/c: Line 3) Unknown keyword 'geheim99'", frozenset({"geheim99"}), {})
    assert message.text == f"Unknown keyword '{MASK}'"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("auth_pass hunter2", f"auth_pass {MASK}"),
        ("  auth_pass  two words", f"  auth_pass  {MASK}"),
        ('auth_pass "a b" }', f"auth_pass {MASK} }}"),
        ("authentication { auth_type PASS auth_pass x1y2 }", f"authentication {{ auth_type PASS auth_pass {MASK} }}"),
        ("password s3cret", f"password {MASK}"),
        ("$MY_PASS=s3cret", f"$MY_PASS={MASK}"),
        ("    key 1 hex:00ff", f"    key 1 {MASK}"),
        ("+  key 200 an-ascii-key }", f"+  key 200 {MASK} }}"),
        ('key ${ID} "two words"', f"key ${{ID}} {MASK}"),
        ("#key 0x1 geheim", f"#key 0x1 {MASK}"),
        ("auth_hmac { key 1 hex:00ff }", f"auth_hmac {{ key 1 {MASK} }}"),
        ("$VRRP_KEY=geheim", f"$VRRP_KEY={MASK}"),
        ("$H=hex:000102030405060708", f"$H=hex:{MASK}"),
        ("['key 1 geheim', 'mode enforce']", f"['key 1 {MASK}', 'mode enforce']"),
        ("key 1 file:/etc/vrrp.key", "key 1 file:/etc/vrrp.key"),
        ("active_key 1", "active_key 1"),
        (
            "(VI_1) auth_hmac key 1 length 12 not in range [32, 64]",
            "(VI_1) auth_hmac key 1 length 12 not in range [32, 64]",
        ),
        (
            "(VI_1) unknown authentication key id 9 from 10.9.0.1",
            "(VI_1) unknown authentication key id 9 from 10.9.0.1",
        ),
        ("(VI_1) duplicate auth_hmac key id 1", "(VI_1) duplicate auth_hmac key id 1"),
        ("auth_type PASS", "auth_type PASS"),
        ("priority 100", "priority 100"),
        ('notify "/usr/bin/bypass.sh x"', 'notify "/usr/bin/bypass.sh x"'),
    ],
)
def test_masking(line: str, shown: str) -> None:
    assert masked(line) == shown


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4, max_size=12))
def test_no_password_survives(secret: str) -> None:
    lines = ["authentication {", f"auth_pass {secret}", f"oops {secret}", "}"]
    shown = difference(["a"], lines, names=("x", "y"))
    assert secret not in shown.replace(MASK, "").replace("authentication", "").replace("auth_pass", "").replace(
        "oops", ""
    )


def test_secrets_are_whole_values_and_words() -> None:
    assert secrets_in(['auth_pass "two words"', "auth_pass ab"]) == {"two words", "two", "words"}


def test_a_macro_of_a_secret_is_a_secret() -> None:
    lines = ["$A=geheim1", "$B = hex:geheim2", "$C=eth0", "auth_pass $A", "key 1 ${B}", "interface $C"]
    assert secrets_in(lines) == {"${B}", "geheim1", "hex:geheim2"}


def test_the_diff_shows_that_a_password_changed() -> None:
    diff = difference(["auth_pass old1"], ["auth_pass new1"], names=("running", "file"))
    assert diff.splitlines()[-2:] == [f"-auth_pass {MASK}", f"+auth_pass {MASK}"]


def test_the_diff_is_indented_and_follows_includes(tmp_path: Path) -> None:
    main = tmp_path / "k.conf"
    (tmp_path / "more.conf").write_text("vrrp_instance b { # no\n  priority 7\n}\n")
    main.write_text("include more.conf\nglobal_defs {\n}\n")
    before = saved_lines(str(main))
    (tmp_path / "more.conf").write_text("vrrp_instance b {\n priority   8\n}\n")
    diff = difference(before, saved_lines(str(main)), names=("running", "file"))
    assert [line for line in diff.splitlines() if line[0] in "+-"][2:] == ["-  priority 7", "+  priority 8"]
