"""keepalived.json of versions 2.1.5 to 2.4.3."""

from __future__ import annotations

import pytest

from kvtui.backend.keepalived.dumps.json_dump import parse_json
from kvtui.backend.keepalived.dumps.text import IncompleteDumpError
from kvtui.model.vrrp import AddressFamily, VirtualAddress, VrrpState
from tests.dumps.samples import JSON_SAMPLES, SECRET, sample


def test_a_backup() -> None:
    first, second = parse_json(sample("example-2.2.7-backup.json"))
    assert (first.name, first.state, first.wanted_state) == ("VI_1", VrrpState.BACKUP, VrrpState.BACKUP)
    assert (first.interface, first.vrid, first.version, first.family) == ("eth0", 51, 2, AddressFamily.V4)
    assert (first.base_priority, first.effective_priority, first.master_priority) == (90, 90, 100)
    assert (first.advert_interval, first.master_advert_interval, first.preempt_delay) == (1.0, 1.0, 0.0)
    assert (first.nopreempt, first.auth_type, first.last_transition) == (False, "PASS", 1795526420.618653)
    assert first.vips == (VirtualAddress("10.99.0.100", 24, "eth0", installed=False),)
    assert (first.counters["advert_rcvd"], first.counters["pri_zero_sent"], len(first.counters)) == (28, 0, 14)
    assert (second.name, second.vrid, second.family, second.auth_type) == ("VI_6", 61, AddressFamily.V6, None)
    assert second.advert_interval == 0.5
    assert second.vips == (VirtualAddress("fd99::100", 64, "eth0", installed=False),)


def test_a_master_has_its_vips_and_no_other_master() -> None:
    first, second = parse_json(sample("example-2.2.7-master.json"))
    assert (first.state, first.master_priority, first.vips[0].installed) == (VrrpState.MASTER, None, True)
    assert second.vips == (VirtualAddress("fd99::100", 64, "eth0", installed=True),)


def test_version_2_of_the_format() -> None:
    (instance,) = parse_json(sample("example-2.3.4-jsonv2.json"))
    assert (instance.name, instance.base_priority, instance.effective_priority) == ("VI_1", 80, 70)


def test_new_counters_keep_their_names() -> None:
    (instance,) = parse_json(sample("example-2.4.3.json"))
    assert instance.counters["auth_ext_invalid_hmac"] == 0
    assert instance.counters["advert_sent"] == 3


def test_an_apostrophe_as_old_versions_escape_it() -> None:
    text = r'[{"data": {"iname": "o\'neill \\\'x \"q\"", "state": 2, "vips": ["10.0.0.1 dev e\'0 set"]}}]'
    (instance,) = parse_json(text)
    assert instance.name == "o'neill \\'x \"q\""
    assert instance.vips == (VirtualAddress("10.0.0.1", 32, "e'0", installed=True),)


def test_no_instances() -> None:
    assert parse_json("[]") == ()
    assert parse_json('{"vrrp": [], "track_process": []}') == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        '[{"data": {"iname": "VI_1"',
        "7",
        "null",
        '{"vrrp": 7}',
        "[NaN]",
        "[" * 200_000,
        "[" + "9" * 5000 + "]",
    ],
)
def test_an_incomplete_dump(text: str) -> None:
    with pytest.raises(IncompleteDumpError):
        parse_json(text)


def test_every_cut_of_a_dump_is_detected() -> None:
    text = sample("example-2.2.7-master.json").rstrip()
    for end in range(0, len(text), 37):
        with pytest.raises(IncompleteDumpError):
            parse_json(text[:end])


def test_odd_values_are_unknown() -> None:
    data = '"iname": "a\\ud800", "state": "MASTER", "vrid": 1.5, "adver_int": 1e999, "vips": [7, "x/y", "1.2.3.4/99"]'
    (instance,) = parse_json(f'[3, {{}}, {{"data": {{}}}}, {{"data": {{{data}}}, "stats": {{"advert_rcvd": true}}}}]')
    assert (instance.name, instance.state, instance.vrid, instance.vips) == ("a?", VrrpState.UNKNOWN, None, ())
    assert (instance.advert_interval, instance.counters) == (None, {})


@pytest.mark.parametrize("name", JSON_SAMPLES)
def test_the_password_is_dropped(name: str) -> None:
    text = sample(name)
    assert SECRET.search(text)
    assert not SECRET.search(repr(parse_json(text)))
