"""Findings that must persist are reported only then; their order, duplicates and cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.kube import EndpointGroup
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.observer import TRIAGE_DUTY_BUSY, TRIAGE_DUTY_IDLE, TriageRunner
from kvtui.rules.observe import observe
from kvtui.rules.triage.rule import ConditionHistory
from kvtui.rules.triage.runner import RULES, confirmed, pending_findings
from kvtui.rules.triage.sources import missing_sources
from tests.kit import NOW, VIP, addresses, advertiser, real, sources, table
from tests.kit import kube as build_kube
from tests.triage.case import asked, backup, conf

if TYPE_CHECKING:
    import pytest

    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot

STRAY = addresses(VIP, since=NOW - 3000)


def watched(*snapshots: Snapshot) -> list[list[str]]:
    """Returns the ids that are reported after each snapshot, as the observer reports them."""
    history = ConditionHistory()
    reported = []
    for snapshot in snapshots:
        seen = observe(snapshot)
        history.fold(snapshot.time, frozenset(s.condition for s in pending_findings(seen)))
        reported.append([f.id for f in confirmed(pending_findings(seen), history, seen.snapshot.time)])
    return reported


def later(seconds: float, **changes: object) -> Snapshot:
    """Returns the backup after so many seconds; its peer still advertises."""
    fresh = advertiser(2, at=NOW + seconds - 0.5)
    aged = tuple(replace(s, read_at=NOW + seconds) for s in sources() if s.name is not SourceName.VRRP)
    base = backup(
        time=NOW + seconds, advertisers=(fresh,), sources=(*aged, Source(SourceName.VRRP, SourceState.OK, "", NOW))
    )
    return replace(base, **changes)


def test_a_stray_vip_is_reported_after_two_seconds() -> None:
    stray = {"addresses": STRAY}

    assert watched(later(0, **stray), later(1, **stray), later(2, **stray)) == [[], [], ["vip-on-backup"]]


def test_an_interruption_restarts_the_time() -> None:
    stray = {"addresses": STRAY}

    assert watched(later(0, **stray), later(1.5), later(2, **stray), later(3, **stray)) == [[], [], [], []]


def test_a_condition_that_no_election_causes_is_reported_at_once() -> None:
    kernel = table(real(5), real(6, weight=0, persistent=0))

    assert watched(later(0, ipvs=kernel)) == [["drained"]]


def test_the_most_severe_comes_first_and_rules_keep_their_order() -> None:
    bad = {"ipvs": table(real(5), real(6, weight=0, persistent=3)), "addresses": STRAY, "conf": conf(digest="other")}
    reported = watched(later(0, **bad), later(4, **bad))[-1]

    assert reported == ["vip-on-backup", "config-not-reloaded", "persistence-pins-drained", "drained"]


def test_one_rule_reports_one_object_once() -> None:
    strangers = tuple(
        replace(advertiser(n), last=replace(advertiser(n).last, addresses=("192.0.2.9",), priority=9 + n))
        for n in (1, 2)
    )
    found = pending_findings(observe(backup(advertisers=strangers)))

    assert [s.finding.object for s in found if s.finding.id == "vrid-collision"] == ["vips"]


def test_a_triage_runner_keeps_conditions_and_reports_what_is_pending() -> None:
    runner = TriageRunner()

    assert runner.run(observe(later(0, addresses=STRAY))).findings == ()
    assert [f.id for f in runner.undecided] == ["vip-on-backup"]
    runner.ran_at = float("-inf")
    assert [f.id for f in runner.run(observe(later(2, addresses=STRAY))).findings or ()] == ["vip-on-backup"]
    assert runner.undecided == ()


def test_while_only_counters_change_triage_pauses_five_times_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    runs: list[Observation] = []
    monkeypatch.setattr("kvtui.observer.time.monotonic", lambda: now)
    runner = TriageRunner()
    monkeypatch.setattr(runner, "evaluate", runs.append)
    same = {"conf": conf(5), "running": conf(5)}
    quiet, busy = (later(at, **same, ipvs=table(real(5, active=at))) for at in (0, 1))
    assert busy.addresses is not None
    busy = replace(busy, addresses=replace(busy.addresses, read_at=busy.time))
    changed = later(2, **same | {"conf": conf(digest="other")})
    runner.run(observe(quiet))
    runner.cost = 0.1
    for snapshot in (busy, changed):
        now += TRIAGE_DUTY_BUSY * runner.cost / 3
        runner.run(observe(snapshot))  # it is too early for another run
    assert len(runs) == 1
    now += TRIAGE_DUTY_BUSY * runner.cost
    runner.run(observe(busy))
    assert len(runs) == 1
    runner.run(observe(changed))
    assert len(runs) == 2
    runner.cost = 0.1
    now += TRIAGE_DUTY_IDLE * runner.cost
    runner.run(observe(changed))
    assert len(runs) == 3


def test_every_rule_has_a_time_that_it_must_persist() -> None:
    assert len(RULES) >= 50
    assert {rule.after for rule in RULES} == {0.0, 2.0, 3.0}


def away(*names: SourceName) -> Snapshot:
    others = tuple(s for s in sources() if s.name not in names)
    return backup(sources=(*others, *(Source(n, SourceState.UNAVAILABLE, "away") for n in names)))


def test_sources_that_are_needed_here() -> None:
    every = tuple(SourceName)
    plain = replace(away(*every), kube=None)
    addresses_only = conf(virtual_servers=())

    assert [s.name.value for s in missing_sources(observe(plain))] == ["keepalived", "ipvs", "addresses", "adverts"]
    without_servers = observe(replace(plain, conf=addresses_only, running=addresses_only))
    assert [s.name.value for s in missing_sources(without_servers)] == [
        "keepalived", "addresses", "adverts",
    ]  # fmt: skip
    assert [s.name.value for s in missing_sources(observe(replace(plain, kube=build_kube.kube())))][-1] == "kubernetes"
    assert missing_sources(observe(backup())) == ()


def node_with_reals(number: int) -> Snapshot:
    """Returns so many real servers in hundreds, with an endpoint each; one in ten is drained."""
    base = table(real(5))
    (virtual,) = base.virtual_servers
    (wanted,) = conf(5).virtual_servers
    virtuals, configured, mapped, groups = [], [], {}, {}
    for v in range(number // 100):
        vip = f"10.5.{v // 250}.{v % 250}"
        names = [f"10.6.{v}.{n}" for n in range(100)]
        weights = [0 if n % 10 == 0 else 1 for n in range(100)]
        virtuals.append(
            replace(
                virtual,
                address=vip,
                real_servers=tuple(real(1, address=a, weight=w) for a, w in zip(names, weights, strict=True)),
            )
        )
        configured.append(
            replace(wanted, address=vip, real_servers=tuple(replace(wanted.real_servers[0], address=a) for a in names))
        )
        mapped[vip] = f"default/s{v}"
        ends = tuple(build_kube.endpoint(5, address=a) for a in names)
        groups["default", f"s{v}"] = (EndpointGroup(build_kube.group().ports, ends),)
    services = {key: build_kube.service(key[1]) for key in groups}
    config = conf(virtual_servers=tuple(configured))
    kube = build_kube.kube(configmap=build_kube.configmap(mapped), services=services, endpoints=groups)
    return asked(conf=config, running=config, kube=kube, ipvs=replace(base, virtual_servers=tuple(virtuals)))


def cost(snapshot: Snapshot) -> float:
    seen = observe(snapshot)
    history = ConditionHistory()
    pending_findings(seen)  # the configs' indexes are cached from here on
    best = 1.0
    for _ in range(3):
        began = time.process_time()
        confirmed(pending_findings(seen), history, NOW)
        best = min(best, time.process_time() - began)
    return best


def test_ten_times_as_much_costs_ten_times_as_much() -> None:
    """Nothing in it is quadratic: the bound is a ratio within one run, so it holds on any machine."""
    small, large = cost(node_with_reals(500)), cost(node_with_reals(5000))

    assert large < 30 * small + 0.02
