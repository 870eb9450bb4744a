"""The timeline: events between two observations, and keepalived's log without its noise."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.backend.demo.log import log_tail
from kvtui.model.event import EventKind
from kvtui.model.finding import Finding, Severity
from kvtui.model.log import LogLine
from kvtui.model.observation import Observation, RealServerState
from kvtui.model.vrrp import AddressFamily, Transition, VrrpState
from kvtui.presenters.events import merged
from kvtui.rules.timeline.events import MAX_EVENTS, Timeline, changes
from kvtui.rules.timeline.log_lines import log_events
from tests.kit.views import EPOCH, demo, instance, make_observation, real, server, snapshot, vip

NEXT = snapshot(time=EPOCH + 1)
DOWN = RealServerState.FAILED


def texts(before: Observation, now: Observation) -> list[tuple[str, str]]:
    return [(e.kind.value, e.text) for e in changes(before, now)]


def test_nothing_happens_between_equal_observations() -> None:
    assert changes(demo(5.0), replace(demo(5.0), notes=("other",))) == []


def test_a_first_observation_adds_the_adverts_before_it() -> None:
    heard = Transition(EPOCH - 9, 50, AddressFamily.V4, "10.4.0.3 → 10.4.0.4 is master")
    now = make_observation(instances=(instance(),), of=replace(snapshot(), transitions=(heard,)))

    assert [(e.at, e.objects, e.text) for e in changes(None, now)] == [(EPOCH - 9, ("vips",), heard.what)]
    assert changes(now, now) == []


def test_vips_that_move_together_are_one_event() -> None:
    addresses = ("10.4.0.50", "10.4.0.51")
    before = make_observation(vips=tuple(map(vip, addresses)))
    now = make_observation(vips=tuple(vip(a, owner="10.4.0.4", own=False) for a in addresses), of=NEXT)

    (event,) = changes(before, now)
    assert event.text == "moved from 10.4.0.3 (this node) to 10.4.0.4 (10.4.0.50, 10.4.0.51)"
    assert event.objects == addresses


def test_a_vip_that_nobody_holds_or_two_hold_is_critical() -> None:
    before, held = make_observation(vips=(vip(),)), make_observation(vips=(vip(rivals=("10.4.0.4",)),), of=NEXT)
    lost = make_observation(vips=(vip(owner=None, own=False),), of=NEXT)

    assert [(e.text, e.severity) for e in changes(before, held)] == [
        ("2 masters: 10.4.0.3, 10.4.0.4", Severity.CRITICAL)
    ]
    assert [(e.text, e.severity) for e in changes(before, lost)] == [
        ("nobody advertises it any more; 10.4.0.3 (this node) did", Severity.CRITICAL)
    ]


def test_changed_states_and_priorities_of_this_node_are_events() -> None:
    before = make_observation(instances=(instance(),))
    now = make_observation(instances=(instance(state=VrrpState.FAULT, effective=50),), of=NEXT)

    assert texts(before, now) == [
        ("vrrp", "this node: MASTER → FAULT"),
        ("vrrp", "this node's priority 100 → 50"),
    ]


def test_without_a_capture_the_master_comes_from_the_other_sources() -> None:
    deaf = replace(NEXT, advertisers=None)
    before = make_observation(instances=(replace(instance(), master=None),), of=replace(snapshot(), advertisers=None))

    assert texts(before, make_observation(instances=(instance(),), of=deaf)) == [("vrrp", "10.4.0.3 is master")]


def test_real_servers_that_change_alike_are_one_event() -> None:
    names = [f"10.2.0.{n}" for n in range(1, 7)]
    before = make_observation(servers=(server("10.4.0.50", *map(real, names)),))
    now = make_observation(servers=(server("10.4.0.50", *(real(n, state=DOWN, weight=0) for n in names)),), of=NEXT)

    (event,) = changes(before, now)
    assert event.kind is EventKind.CHECK
    assert event.text == (
        "10.2.0.1:8080, 10.2.0.2:8080, 10.2.0.3:8080, 10.2.0.4:8080 and 2 more: down: its check fails, weight 0"
    )
    assert event.objects[0] == "10.4.0.50:80"
    assert "10.2.0.6:8080" in event.objects


def test_changed_weights_and_added_and_removed_servers_are_events() -> None:
    before = make_observation(servers=(server("10.4.0.50", real("10.2.0.1"), real("10.2.0.2")), server("10.4.0.51")))
    now = make_observation(
        servers=(server("10.4.0.50", real("10.2.0.1", weight=5), real("10.2.0.3")), server("10.4.0.52")), of=NEXT
    )

    assert texts(before, now) == [
        ("check", "10.2.0.1:8080: weight 1 → 5"),
        ("check", "10.2.0.3:8080: added, up"),
        ("check", "10.2.0.2:8080: gone from kernel and config"),
        ("check", "virtual server added"),
        ("check", "virtual server removed"),
    ]


def test_an_edit_and_a_reload_of_the_config_are_events() -> None:
    before = demo()
    conf = before.snapshot.conf
    assert conf is not None
    edited = replace(conf, digest="other", modified=EPOCH + 5)
    now = replace(before, snapshot=replace(before.snapshot, conf=edited, running=edited))

    assert texts(before, now) == [
        ("config", f"{conf.path} was edited"),
        ("reload", f"{conf.path} was loaded: keepalived runs another config"),
    ]


def test_a_keepalived_that_ends_starts_or_restarts_is_an_event() -> None:
    here = demo()
    gone = replace(here, snapshot=replace(here.snapshot, keepalived=(), chosen=None))
    other = replace(here.snapshot.keepalived[0], pid=99)
    again = replace(here, snapshot=replace(here.snapshot, keepalived=(other,), chosen=99))

    assert texts(here, gone) == [("reload", "keepalived ended (PID 4711)")]
    assert texts(gone, here) == [("reload", "keepalived started (PID 4711)")]
    assert texts(here, again) == [("reload", "keepalived restarted: PID 4711 → 99")]


def test_added_and_removed_findings_are_events() -> None:
    finding = Finding("two-masters", Severity.CRITICAL, "vips has two masters", (), "", "vips", ("10.4.0.50",))
    none, some = (replace(make_observation(of=NEXT), findings=f) for f in ((), (finding,)))

    (came,), (went,) = changes(none, some), changes(some, none)
    assert (came.text, came.severity, came.objects) == (finding.title, Severity.CRITICAL, ("vips", "10.4.0.50"))
    assert (went.text, went.severity) == ("solved: vips has two masters", Severity.INFO)
    assert changes(replace(some, findings=None), some) == []


def test_the_timeline_is_bounded() -> None:
    timeline = Timeline()
    for n in range(MAX_EVENTS + 10):
        owner = f"10.4.0.{n % 2 + 3}"
        timeline.add(make_observation(vips=(vip(owner=owner, own=False),), of=snapshot(time=EPOCH + n)))

    assert len(timeline.events) == MAX_EVENTS
    assert timeline.added == MAX_EVENTS + 9


def test_a_late_event_is_sorted_in_and_a_clock_set_back_moves_no_event() -> None:
    timeline = Timeline()
    timeline.add(make_observation(vips=(vip(own=False),), of=snapshot(time=EPOCH)))
    owners = {10: "10.4.0.4", 20: "10.4.0.3", 15: "10.4.0.4", -3600: "10.4.0.3"}
    for after, owner in owners.items():
        timeline.add(make_observation(vips=(vip(owner=owner, own=False),), of=snapshot(time=EPOCH + after)))

    times = [round((event.at or 0.0) - EPOCH) for event in timeline.events]
    assert list(dict.fromkeys(times)) == [10, 15, 20, -3600]


# --- the log


def log(*lines: str) -> list[LogLine]:
    return [LogLine(line, EPOCH + n) for n, line in enumerate(lines)]


def test_runs_of_gratuitous_arp_are_one_line() -> None:
    garp = [f"Sending gratuitous ARP on eth0 for 10.4.0.{n}" for n in (50, 51) for _ in range(5)]
    events = log_events(
        log(
            "(vips) Entering MASTER STATE",
            "(vips) Sending/queueing gratuitous ARPs on eth0 for 10.4.0.50",
            *garp,
            "Keepalived_vrrp[12]: Sending gratuitous ARP on eth0 for 10.4.0.50",
            "(vips6) Sending/queueing Unsolicited Neighbour Adverts on eth0 for fd00::50",
            "(vips) Entering BACKUP STATE",
        )
    )

    assert [(e.text, e.lines) for e in events] == [
        ("(vips) Entering MASTER STATE", 1),
        ("gratuitous ARP on eth0 for 10.4.0.50, 10.4.0.51, fd00::50", 13),
        ("(vips) Entering BACKUP STATE", 1),
    ]
    assert events[1].objects == ("10.4.0.50", "10.4.0.51", "fd00::50")


def test_a_failed_announcement_is_kept() -> None:
    error = "Error 100 (Network is down) sending gratuitous ARP on eth0 for 10.4.0.50"
    assert [(e.text, e.severity) for e in log_events(log(error))] == [(error, Severity.WARNING)]


def test_a_repeated_line_is_one_line_with_its_count() -> None:
    again = "(vips) Received advert with lower priority 90, ours 102, forcing new election"
    assert [(e.lines, e.objects) for e in log_events(log(*[again] * 30))] == [(30, ("vips",))]


def test_servers_in_the_log_have_the_names_of_the_screens() -> None:
    line = "Keepalived_healthcheckers[9]: Removing service [10.2.0.1]:tcp:80 from VS [fd00::1]:tcp:443"
    (event,) = log_events(log(line))

    assert event.text == "Removing service [10.2.0.1]:tcp:80 from VS [fd00::1]:tcp:443"
    assert event.objects == ("10.2.0.1:80", "[fd00::1]:443")


def test_dumps_are_left_out_unless_they_are_requested() -> None:
    lines = log("Printing VRRP data for process(12) on signal", "Reloading ...")

    assert [(e.kind.value, e.text) for e in log_events(lines)] == [("reload", "Reloading ...")]
    assert len(log_events(lines, dumps=True)) == 2


def test_sources_are_merged_by_time_and_a_line_without_a_time_keeps_its_position() -> None:
    first = log_events([LogLine("a", EPOCH), LogLine("no time"), LogLine("c", EPOCH + 2)])
    second = log_events([LogLine("b", EPOCH + 1)])

    assert [e.text for e in merged(first, second)] == ["a", "no time", "b", "c"]


def test_the_demo_has_a_story() -> None:
    timeline = Timeline()
    for second in range(0, 126, 1):
        timeline.add(demo(float(second)))

    kinds = {e.kind for e in merged(timeline.events, log_events(log_tail(125.0, EPOCH).lines))}
    assert {EventKind.VIP, EventKind.VRRP, EventKind.CHECK, EventKind.LOG} <= kinds
