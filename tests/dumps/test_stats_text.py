"""keepalived.stats."""

from __future__ import annotations

import pytest

from kvtui.backend.dumps.json_dump import parse_json
from kvtui.backend.dumps.stats_text import parse_stats
from kvtui.backend.dumps.text import Incomplete
from tests.dumps.samples import sample


def test_counters_have_the_names_of_the_json_dump() -> None:
    stats = parse_stats(sample("example-2.2.7-master.stats"))
    assert list(stats) == ["VI_1", "VI_6"]
    assert (stats["VI_1"]["advert_sent"], stats["VI_6"]["advert_sent"], stats["VI_1"]["become_master"]) == (28, 59, 1)
    assert stats["VI_1"].keys() == parse_json(sample("example-2.2.7-master.json"))[0].counters.keys()


def test_equal_lines_under_different_headings_are_different_counters() -> None:
    text = sample("example-2.2.7-master.stats")
    text = text.replace("Authentication Errors:\n    Invalid Type: 0", "Authentication Errors:\n    Invalid Type: 3", 1)
    text = text.replace("Priority Zero:\n    Received: 0", "Priority Zero:\n    Received: 4", 1)
    first = parse_stats(text)["VI_1"]
    assert (first["invalid_type_rcvd"], first["invalid_authtype"]) == (0, 3)
    assert (first["advert_rcvd"], first["pri_zero_rcvd"]) == (0, 4)


def test_every_cut_within_an_instance_is_seen() -> None:
    text = sample("example-2.2.7-master.stats")
    start = text.index("VRRP Instance: VI_6")
    for end in range(start + 10, len(text), 13):
        with pytest.raises(Incomplete):
            parse_stats(text[:end])
