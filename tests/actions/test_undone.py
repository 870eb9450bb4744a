"""An action that something else undid is a finding until it is repeated or closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core import recovery
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.journal import Entry, Journal
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.runner import ExitCode, Outcome, Runner, guarded
from kvtui.actions.drain.active_drains import Keeper
from kvtui.actions.drain.plan import plan_drain
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.actions.registry import intent_of
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.actions.undone import UNCLEAR, undone, with_log
from kvtui.model.log import LogLine, LogTail
from kvtui.model.vrrp import TrackFile
from tests.actions.nodes import FIVE, entry_of, node, virtual
from tests.kit import NOW, instance, keepalived, real, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.observation import Observation


def drained_entry(weight: int = 1) -> Entry:
    seen = node(virtual(real(5, weight=weight), real(6)))
    return entry_of(plan_drain(seen, FIVE, backend=LIVE), "a", NOW - 60)


def taking_connections(weight: int = 1, **changes: Any) -> Observation:
    return node(virtual(real(5, weight=weight), real(6)), **changes)


def test_an_undone_drain_is_a_finding_with_its_journal_entry() -> None:
    (lost,) = undone([drained_entry()], taking_connections().snapshot)
    finding = lost.finding
    assert finding.id == "drain-undone"
    assert "takes connections" in finding.title
    assert "journal entry a" in finding.evidence[0]
    assert intent_of(finding.command) == Intent(ActionKind.DRAIN, "10.2.68.5:8080", service="tcp 10.4.0.50:80")


def test_a_restart_after_the_drain_is_the_cause() -> None:
    later = keepalived(started=NOW - 5)
    seen = taking_connections()
    (lost,) = undone([drained_entry()], replace(seen.snapshot, keepalived=(later,), chosen=later.pid))
    assert f"keepalived {later.pid} was started at" in lost.cause


def test_the_log_names_the_check_that_passed_again() -> None:
    (lost,) = undone([drained_entry()], taking_connections().snapshot)
    assert lost.cause == UNCLEAR
    message = "TCP connection to [10.2.68.5]:tcp:8080 success."
    lines = (LogLine(message, NOW - 90), LogLine("TCP connection to [10.2.68.6]:tcp:8080 success.", NOW - 20))
    assert with_log(lost, LogTail(lines)).cause == UNCLEAR
    known = with_log(lost, LogTail((*lines, LogLine(message, NOW - 30))))
    assert known.cause.startswith("its health check passed again: keepalived logged at ")
    assert known.cause.endswith(message)


def test_a_track_file_that_something_else_wrote() -> None:
    here = keepalived()
    step = SetTrackValue(Daemon.of(here), "/etc/keepalived/vip_ok", 0, -6)
    data = ({"kind": step.kind, **step.to_json()},)
    entry = Entry("f", NOW - 60, "failover", "vips", {"user": "anna"}, "", "", data, result="done")

    def lost(status: int) -> list[str]:
        file = TrackFile("vip_ok", "/etc/keepalived/vip_ok", status, 1)
        seen = snapshot(instances=(replace(instance(), track_files=(file,)),), keepalived=(here,), chosen=here.pid)
        return [f"{u.finding.id}: {u.again}: {u.found}" for u in undone([entry], seen)]

    assert lost(-6) == []
    assert lost(0) == ["failover-undone: kvtui failover vips: track file /etc/keepalived/vip_ok has 0, not -6"]


def test_there_is_no_finding_while_a_drain_holds_or_after_it_was_closed() -> None:
    assert undone([drained_entry()], node(virtual(real(5, weight=0), real(6))).snapshot) == ()
    assert undone([replace(drained_entry(), result="left")], taking_connections().snapshot) == ()


@pytest.mark.parametrize(
    ("command", "intent"),
    [
        ("kvtui priority vips 90", Intent(ActionKind.PRIORITY, "vips", 90)),
        ("kvtui failover vips", Intent(ActionKind.FAILOVER, "vips")),
        ("kvtui reload --no-try", Intent(ActionKind.RELOAD, no_try=True)),
        ("kvtui priority vips", None),
        ("kvtui priority vips x", None),
        ("kvtui triage", None),
        ("ip link show", None),
        ("kvtui drain 'open", None),
    ],
)
def test_a_remedy_becomes_an_intent(command: str, intent: Intent | None) -> None:
    assert intent_of(command) == intent


def test_leave_closes_a_done_action(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(replace(drained_entry(), result=None))
    journal.end("a", "done", "")

    class Here(LiveBackend):
        @property
        def journal(self) -> Journal:
            return journal

    (entry,) = journal.entries()
    action = recovery.leave(entry, Here())
    assert action.plan.refusal(force=False) is None
    assert asyncio.run(guarded(Runner(journal), action)).code is ExitCode.DONE
    assert journal.entries()[0].result == "left"
    assert undone(journal.entries(), taking_connections().snapshot) == ()


def test_a_kept_drain_is_done_again_until_it_is_closed() -> None:
    entries = [drained_entry()]
    asked: list[tuple[Intent, str]] = []

    class Known:
        def entries(self) -> tuple[Entry, ...]:
            return tuple(entries)

    async def again(intent: Intent, reason: str) -> Outcome:
        asked.append((intent, reason))
        return Outcome(ExitCode.DONE, "drained", "b")

    keeper = Keeper(Known(), again, {"a"})  # type: ignore[arg-type] # reads entries only
    assert asyncio.run(keeper.redrain_lost(taking_connections()))
    assert asked == [(Intent(ActionKind.DRAIN, "10.2.68.5:8080", service="tcp 10.4.0.50:80"), "kept drained (a)")]
    assert keeper.entries == {"a", "b"}
    entries.clear()
    assert not asyncio.run(keeper.redrain_lost(taking_connections()))
