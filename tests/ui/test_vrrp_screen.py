"""Screen 2: instances, the peers as received on the wire, errors, and the timeline."""

from __future__ import annotations

import re

from msgspec.structs import replace

from kvtui.model.observation import Peer
from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import AddressFamily, Tracked, Transition, VrrpState
from kvtui.presenters.vrrp import instance_text, is_error_counter
from kvtui.screens.panel import Panel
from tests.kit.views import EPOCH, demo, instance, make_observation, snapshot, source
from tests.shared import shared_path
from tests.ui.seen import running

PEERS = (
    Peer("10.4.0.4", 90, seen=True, age_seconds=0.4),
    Peer("10.4.0.5", 0, seen=True, age_seconds=185.0),
    Peer("10.4.0.6", None, seen=False, age_seconds=None),
)


async def test_an_instance_shows_its_master_and_priority() -> None:
    async with running(make_observation(instances=(instance(state=VrrpState.BACKUP),))) as ui:
        await ui.press("2")

        assert ui.lines[3][1:].split()[:4] == ["vips", "BACKUP", "50", "100"]
        assert "10.4.0.3" in ui.lines[3]


async def test_a_lowered_priority_shows_both_values() -> None:
    async with running(make_observation(instances=(instance(effective=50),))) as ui:
        await ui.press("2")

        assert "100>50" in ui.lines[3]


async def test_peers_are_below_with_the_age_of_their_last_advert() -> None:
    async with running(make_observation(instances=(instance(peers=PEERS),))) as ui:
        await ui.press("2")
        below = [line.split() for line in ui.lines[4:7]]

        assert [row[1] for row in below] == ["10.4.0.4", "10.4.0.5", "10.4.0.6"]
        assert ["now" in below[0], "3m" in below[1], "never" in below[2]] == [True, True, True]


async def test_errors_are_visible_at_80_columns() -> None:
    counters = {"advert_rcvd": 7, "checksum_err": 3, "packet_len_err": 0}
    async with running(make_observation(instances=(instance(counters=counters),))) as ui:
        await ui.press("2")

        assert "ERRORS" in ui.lines[2]
        assert "checksum_err 3" in ui.lines[3]
        assert "packet_len_err" not in ui.text


async def test_two_masters_are_named() -> None:
    async with running(make_observation(instances=(instance(peers=PEERS, rivals=("10.4.0.4",)),))) as ui:
        await ui.press("2")

        assert "2 MASTERS" in ui.lines[3]


async def test_the_timeline_shows_the_newest_first() -> None:
    changes = tuple(Transition(EPOCH + n, 50, AddressFamily.V4, f"change {n}") for n in range(30))
    of = replace(snapshot(), transitions=changes)
    async with running(make_observation(instances=(instance(),), of=of)) as ui:
        await ui.press("2")
        numbers = [line.split("change ")[1].strip() for line in ui.lines if "change " in line]

        assert numbers[0] == "29"
        assert numbers == [str(n) for n in range(29, 29 - len(numbers), -1)]
        assert len(numbers) >= 5


async def test_without_adverts_the_timeline_shows_why() -> None:
    lost = source(SourceName.ADVERTS, SourceState.UNAVAILABLE, "no CAP_NET_RAW: run as root")
    of = replace(snapshot(lost), advertisers=None)
    async with running(make_observation(instances=(instance(),), of=of)) as ui:
        await ui.press("2")

        assert "no CAP_NET_RAW: run as root" in ui.text


async def test_enter_opens_the_instance_from_a_peer_too() -> None:
    async with running(demo()) as ui:
        for keys in ("2", "enter"), ("2", "down", "enter"):
            await ui.press(*keys)
            assert ui.heading == "VRRP instance vips"
            assert "VRRP instance vips" in ui.text
            assert "packet_len_err 2" in ui.text
            await ui.press("escape")


async def test_a_removed_instance_is_reported_as_removed() -> None:
    async with running(make_observation(instances=(instance(),))) as ui:
        await ui.press("2", "enter")
        await ui.see(make_observation(instances=()))

        assert "do not have this instance any more" in ui.text


async def test_an_observation_before_the_panel_is_mounted_is_ignored() -> None:
    async with running(demo()) as ui:
        panel = Panel(ui.app, "VRRP instance vips", lambda _observation: "known")
        panel.show(demo())
        ui.app.push_screen(panel)
        ui.app.show_latest()
        await ui.pilot.pause()

        assert "VRRP instance vips" in ui.text


def test_the_detail_shows_the_source_of_the_state() -> None:
    text = instance_text(replace(instance(), evidence="wire"), EPOCH)

    assert "MASTER for 1m, from adverts on the wire" in text


def test_the_detail_lists_what_changes_the_priority() -> None:
    script = Tracked("script", "chk", weight=-20, good=False)
    text = instance_text(replace(instance(effective=50), track_files=("vip_ok",), tracked=(script,)), EPOCH)
    assert "Tracks       script chk FAILS (weight -20)" in text

    assert "50 now, 100 configured: a tracked object changes it" in text
    assert "vip_ok" in text


def test_the_detail_separates_errors_from_usual_counters() -> None:
    counters = {"advert_rcvd": 7, "checksum_err": 3, "ip_ttl_err": 0}
    lines = instance_text(instance(counters=counters), EPOCH).splitlines()

    assert "Errors       checksum_err 3" in lines
    assert "Counters     advert_rcvd 7" in lines


def test_every_counter_of_real_dumps_is_an_error_or_a_usual_one() -> None:
    dumps = shared_path("keepalived-dumps").rglob("*.json")
    names = {n for d in dumps for n in re.findall(r'"(\w+)":', _stats(d.read_text(errors="replace")))}

    assert names >= {"advert_rcvd", "ip_ttl_err", "auth_failure"}
    assert {n for n in names if not is_error_counter(n)} == {
        "advert_rcvd", "advert_sent", "become_master", "release_master", "pri_zero_rcvd", "pri_zero_sent",
    }  # fmt: skip


def _stats(dump: str) -> str:
    return " ".join(re.findall(r'"stats":\s*\{([^}]*)\}', dump))


def test_the_detail_shows_when_counters_are_unknown() -> None:
    assert "Counters are unknown" in instance_text(instance(), EPOCH)


def test_the_detail_lists_every_peer_with_its_known_values() -> None:
    text = instance_text(instance(peers=PEERS), EPOCH)

    assert "10.4.0.4  heard now with priority 90" in text
    assert "10.4.0.5  heard 3m ago with priority 0, then it stepped down" in text
    assert "10.4.0.6  configured, never heard" in text
