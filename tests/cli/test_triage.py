"""``kvtui triage``: output, time of observation, exit codes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest
from msgspec.structs import replace

from kvtui.cli import findings
from kvtui.cli.event_loop import watch
from kvtui.cli.findings import exit_code, finding_text, findings_text
from kvtui.cli.output import Format
from kvtui.model.finding import Finding, Severity, worst
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.observer import Observer
from kvtui.presenters.schema import schema
from kvtui.rules.observe import observe
from tests.documents import document
from tests.kit import NOW, VIP, addresses, advertiser, instance, sources
from tests.triage.case import backup

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.snapshot import Snapshot

CRITICAL, WARNING, INFO = (
    Finding(f"{s.value}-rule", s, f"a {s.value} thing", ("seen here",), "do this  # because", "thing", (VIP,))
    for s in Severity
)


@pytest.mark.parametrize(
    ("found", "code"),
    [((), 0), ((INFO,), 0), ((WARNING, INFO), 1), ((CRITICAL, WARNING), 2)],
)
def test_the_exit_code_is_the_worst(found: tuple[Finding, ...], code: int) -> None:
    assert exit_code(replace(observe(backup()), findings=found)) == code


def without_adverts() -> Snapshot:
    others = tuple(s for s in sources() if s.name is not SourceName.ADVERTS)
    return backup(advertisers=None, sources=(*others, Source(SourceName.ADVERTS, SourceState.UNAVAILABLE, "no right")))


@pytest.mark.parametrize(("found", "code"), [((), 3), ((INFO,), 3), ((WARNING,), 1), ((CRITICAL,), 2)])
def test_a_missing_source_is_not_success(found: tuple[Finding, ...], code: int) -> None:
    assert exit_code(replace(observe(without_adverts()), findings=found)) == code


def test_text_has_evidence_and_remedy() -> None:
    assert finding_text(CRITICAL) == (
        "CRITICAL  critical-rule: a critical thing\n          seen here\n        > do this  # because\n"
    )
    text = findings_text(replace(observe(backup()), findings=(CRITICAL, WARNING, INFO)))
    assert text.endswith("\n1 critical, 1 warning, 1 info\n")
    assert findings_text(replace(observe(backup()), findings=())) == "No problems found.\n"


@pytest.mark.parametrize(
    ("found", "last"),
    [
        ((), "No problems found in the sources that can be read; unknown: adverts"),
        ((INFO,), "1 info; unknown: adverts"),
    ],
    ids=["nothing", "something"],
)
def test_stdout_names_missing_sources(found: tuple[Finding, ...], last: str) -> None:
    assert findings_text(replace(observe(without_adverts()), findings=found)).splitlines()[-1] == last


def test_the_copied_command_has_no_comment() -> None:
    assert CRITICAL.command == "do this"


def test_a_vip_is_marked_by_its_worst_finding() -> None:
    assert worst((INFO, WARNING, CRITICAL)) == {VIP: Severity.CRITICAL}


def test_the_document_of_findings() -> None:
    result = document(replace(observe(backup()), findings=(CRITICAL,)), "status")

    jsonschema.validate(result, schema())
    assert result["findings"] == [
        {
            "id": "critical-rule",
            "severity": "critical",
            "title": "a critical thing",
            "evidence": ["seen here"],
            "remedy": "do this  # because",
            "object": "thing",
        }
    ]
    assert document(observe(backup()))["findings"] is None


class TimedSource:
    """A source whose readings are half a second apart.

    Args:
        at: returns the snapshot after so many seconds.
    """

    def __init__(self, at: Callable[[float], Snapshot]) -> None:
        self._at = at
        self.passed = -0.5

    async def start(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    async def settle(self, timeout: float) -> None:
        raise AssertionError(timeout)

    async def read(self) -> Snapshot:
        self.passed += 0.5
        asyncio.get_running_loop().call_soon(self._changed)
        return self._at(self.passed)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        raise AssertionError(service, real, limit)

    async def connect(self, address: str, port: int) -> object:
        raise AssertionError(address, port)

    async def close(self) -> None:
        pass


def healthy(passed: float) -> Snapshot:
    fresh = tuple(replace(s, read_at=NOW + passed) for s in sources())
    return backup(time=NOW + passed, advertisers=(advertiser(2, at=NOW + passed - 0.1),), sources=fresh)


@pytest.mark.parametrize("triage", [True, False], ids=["watched", "read once"])
async def test_findings_are_null_without_triage(triage: bool) -> None:
    """With triage they are a list from the first observation on, also between two runs; pending findings come later."""
    observer = Observer(TimedSource(healthy), interval=0.05, triage=triage)  # type: ignore[arg-type]
    for _ in range(3):
        assert document(await observer.observe())["findings"] == ([] if triage else None)


async def observed(source: TimedSource, listen: float | None) -> list[str]:
    observer = Observer(source, interval=0.05, triage=True)  # type: ignore[arg-type]
    seen = await findings.observe(observer, listen)
    return [f.id for f in seen.findings or ()]


async def test_triage_observes_for_the_time_of_a_takeover() -> None:
    source = TimedSource(healthy)

    assert await observed(source, None) == []
    assert source.passed == 4.5


async def test_triage_observes_longer_with_long_advert_intervals() -> None:
    slow = (instance(advert_interval=3.0),)

    def rare_adverts(passed: float) -> Snapshot:
        master = advertiser(2, at=NOW + passed - 0.1)
        return replace(
            healthy(passed), instances=slow, advertisers=(replace(master, last=replace(master.last, interval=3.0)),)
        )

    source = TimedSource(rare_adverts)

    assert await observed(source, None) == []
    assert source.passed == 13.0


async def test_triage_waits_for_pending_findings() -> None:
    def stray(passed: float) -> Snapshot:
        return replace(healthy(passed), addresses=addresses(VIP) if passed >= 2.5 else addresses())

    source = TimedSource(stray)
    result = await observed(source, None)

    assert (result, source.passed) == (["vip-on-backup"], 4.5)


async def test_triage_observes_for_the_time_of_listen() -> None:
    source = TimedSource(healthy)

    assert await observed(source, 1.0) == []
    assert source.passed == 1.0


def test_watch_prints_when_a_missing_source_is_back(capsys: pytest.CaptureFixture[str]) -> None:
    def later(passed: float) -> Snapshot:
        if passed > 3.0:
            raise RuntimeError("seen enough")
        return healthy(passed) if passed >= 1.5 else replace(without_adverts(), time=NOW + passed)

    with pytest.raises(RuntimeError, match="seen enough"):
        watch(Observer(TimedSource(later), interval=0.05, triage=True), findings.FindingChanges(Format.TEXT).text)  # type: ignore[arg-type]
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("No problems")] == [
        "No problems found in the sources that can be read; unknown: adverts",
        "No problems found.",
    ]


def test_triage_of_the_demo_gives_remedies() -> None:
    argv = [sys.executable, "-m", "kvtui", "--demo", "triage", "-o", "json", "--listen", "2.1"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    document_ = json.loads(done.stdout)

    assert set(document_) == {"schema", "time", "node", "sources", "findings"}
    assert done.returncode == 2
    assert all(f["remedy"] and f["evidence"] and f["title"] for f in document_["findings"])
