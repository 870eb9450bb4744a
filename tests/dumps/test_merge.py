"""Merging the JSON and the text dump."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.backend.keepalived.dumps.data_text import parse_vrrp_data
from kvtui.backend.keepalived.dumps.json_dump import parse_json
from kvtui.backend.keepalived.dumps.merge import merge
from kvtui.model.vrrp import TrackFile, VrrpState
from tests.dumps.samples import sample

TEXT = parse_vrrp_data(sample("example-2.2.7-backup.data"))
JSON = parse_json(sample("example-2.2.7-backup.json"))


def test_json_gives_counters_and_text_the_master() -> None:
    merged = merge(TEXT, JSON)
    assert [m.name for m in merged] == ["VI_1", "VI_6"]
    assert (merged[0].counters["advert_rcvd"], merged[0].master_advert_interval) == (28, 1.0)
    assert (merged[0].master_address, merged[0].unicast_source) == ("10.99.0.1", "10.99.0.2")
    assert merged[0].track_files == (TrackFile("tf", "/mnt/r2/n2/tf", 0, 1),)


def test_the_newer_state_wins_and_drops_the_old_master() -> None:
    now = tuple(replace(instance, state=VrrpState.MASTER, master_priority=None) for instance in JSON)
    merged = merge(TEXT, now)[0]
    assert (merged.state, merged.master_address, merged.master_priority) == (VrrpState.MASTER, None, None)
    assert merged.unicast_source == "10.99.0.2"


def test_the_newer_dump_decides_which_instances_exist() -> None:
    assert [m.name for m in merge(TEXT, JSON[1:])] == ["VI_6"]
    assert merge(TEXT[1:], JSON[:1]) == JSON[:1]
    assert merge(TEXT, ()) == ()
