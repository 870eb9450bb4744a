"""Dumps of keepalived 2.4.3 with ``auth_hmac``, recorded together with tests/adverts/signed-2.4.3.jsonl (node b)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvtui.backend.keepalived.dumps.data_text import parse_vrrp_data
from kvtui.backend.keepalived.dumps.json_dump import parse_json
from kvtui.backend.keepalived.dumps.merge import merge
from kvtui.backend.keepalived.dumps.stats_text import parse_stats
from kvtui.backend.keepalived.dumps.text import IncompleteDumpError
from kvtui.model.vrrp import AuthHmac, HmacMode

HERE = Path(__file__).parent
JSON, DATA, STATS = ((HERE / f"hmac-2.4.3.{kind}").read_text() for kind in ("json", "data", "stats"))
COUNTED = {
    "missing": {"auth_ext_missing": 9},
    "unknown": {"auth_ext_unknown_key": 8},
    "invalid": {"auth_ext_invalid_hmac": 10},
    "replayed": {"auth_ext_malformed": 1, "auth_ext_stale": 2, "auth_ext_replay": 2},
    "old": {"packet_len_err": 2},
}


def errors(counters: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counters.items() if count and name.startswith(("auth_ext", "packet_len"))}


def test_counters_of_the_json_dump() -> None:
    found = {one.name: errors(one.counters) for one in parse_json(JSON)}
    assert {name: counted for name, counted in found.items() if counted} == COUNTED


def test_the_stats_have_the_same_counters_under_the_same_names() -> None:
    stats, newer = parse_stats(STATS), {one.name: one.counters for one in parse_json(JSON)}
    assert {name: counters.keys() for name, counters in stats.items()} == {n: c.keys() for n, c in newer.items()}
    assert all(0 <= newer[name][key] - count <= 1 for name, c in stats.items() for key, count in c.items())
    assert errors(stats["replayed"]) == COUNTED["replayed"]
    assert stats["v2"]["advert_rcvd"] > 20


def test_mode_keys_and_window_of_the_data_dump() -> None:
    found = {one.name: one.auth_hmac for one in parse_vrrp_data(DATA)}
    assert found["v3"] == AuthHmac(HmacMode.ENFORCE, 1, None, 5)
    assert found["keys"] == AuthHmac(HmacMode.PERMISSIVE, 1, None, 5)
    assert found["file"] == AuthHmac(HmacMode.ENFORCE, 200, None, 30)
    assert found["old"] is None


def test_the_json_keeps_what_only_the_data_dump_has() -> None:
    merged = {one.name: one for one in merge(parse_vrrp_data(DATA), parse_json(JSON))}
    assert merged["unknown"].auth_hmac == AuthHmac(HmacMode.ENFORCE, 1, None, 5)
    assert merged["unknown"].counters["auth_ext_unknown_key"] == 8


@pytest.mark.parametrize(
    "end", ["", "VRRP Instance: next\n", "VRRP Instance: next\n  Advertisements:\n    Received: 1"]
)
def test_truncated_stats(end: str) -> None:
    with pytest.raises(IncompleteDumpError):
        parse_stats(STATS.rstrip("\n") + ("\n" + end if end else ""))


def test_no_stats_without_instances() -> None:
    assert parse_stats("\n") == {}
