"""kvtui reads ``auth_hmac`` as keepalived 2.4.3 does and keeps no keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.model.vrrp import AuthHmac, HmacMode
from tests.conf.reading import instance, read_conf, value_problems

if TYPE_CHECKING:
    from pathlib import Path

HEX = "hex:" + "a5" * 32
ASCII = "an-ascii-key-of-thirty-two-bytes"


def block(*lines: str) -> str:
    return instance("auth_hmac {\n" + "\n".join(lines) + "\n}")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([f"key 1 {HEX}", "active_key 1"], AuthHmac(HmacMode.ENFORCE, 1, (1,), 5)),
        (
            [f"key 1 {HEX}", f"key 2 {ASCII}", "key 200 file:/k", "active_key 200", "mode receive-only"],
            AuthHmac(HmacMode.RECEIVE_ONLY, 200, (1, 2, 200), 5),
        ),
        ([f'key 1 "{ASCII} x"', "active_key 1", "mode permissive"], AuthHmac(HmacMode.PERMISSIVE, 1, (1,), 5)),
        ([f"key 1 {HEX}", "active_key 1", "time_window 30"], AuthHmac(HmacMode.ENFORCE, 1, (1,), 30)),
        ([f"key 1 {HEX}", "active_key 1", "anti_replay monotonic"], AuthHmac(HmacMode.ENFORCE, 1, (1,), None)),
        ([f"key 1 {HEX}", "active_key 1", "mode soft", "time_window 301"], AuthHmac(HmacMode.ENFORCE, 1, (1,), 5)),
    ],
)
def test_mode_keys_and_window(tmp_path: Path, lines: list[str], found: AuthHmac) -> None:
    conf = read_conf(tmp_path, block(*lines))
    assert conf.instances[0].auth_hmac == found
    assert HEX not in repr(conf)
    assert ASCII not in repr(conf)


def test_the_window_follows_the_advert_interval(tmp_path: Path) -> None:
    conf = read_conf(tmp_path, instance(f"advert_int 4\nauth_hmac {{\nkey 1 {HEX}\nactive_key 1\n}}"))
    assert conf.instances[0].auth_hmac == AuthHmac(HmacMode.ENFORCE, 1, (1,), 12)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([f"key 1 {HEX}"], "auth_hmac: active_key 0 is not a valid key: keepalived disables auth_hmac"),
        (
            [f"key 1 {HEX}", f"key 1 {ASCII}", "active_key 1"],
            "auth_hmac: key 1 is already defined: keepalived skips this one",
        ),
        (
            [f"key 1 {HEX}", "key 2 short", "active_key 1"],
            "auth_hmac: key 2 must have 32 to 64 bytes: keepalived skips it",
        ),
        (
            [f"key 1 {HEX}", f"key 300 {ASCII}", "active_key 1"],
            "auth_hmac: a key needs an id from 1 to 255 and a value: keepalived skips it",
        ),
    ],
)
def test_a_rejected_key_is_reported_without_its_value(tmp_path: Path, lines: list[str], problem: str) -> None:
    conf = read_conf(tmp_path, block(*lines))
    assert [text for _, _, text in value_problems(conf) if "auth_hmac" in text] == [problem]
    assert (conf.instances[0].auth_hmac is None) == (len(lines) == 1)
