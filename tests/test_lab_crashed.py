"""When user-mode Linux crashes, another kernel runs its tests, and the run reports the crash."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import bridge

if TYPE_CHECKING:
    from collections.abc import Iterable


class FakeGuest:
    """A kernel that passes each test. It crashes ``crashes`` times in tests with ``crash`` in their names."""

    crashes = 0

    def __init__(self, config: pytest.Config, number: int, selected: Iterable[str]) -> None:
        del config, selected
        self.number = number
        self.failure: str | None = None
        self.unfinished: list[str] = []
        self.started: str | None = None
        self.cpu_taken: dict[str, float] = {}
        self.kernel = SimpleNamespace(close=lambda: None)
        self._got_last_test = False

    @property
    def needs_test(self) -> bool:
        return self.failure is None and not self.unfinished and not self._got_last_test

    @property
    def has_panicked(self) -> bool:
        return self.failure is not None

    def give(self, nodeid: str | None, waiting: Iterable[str] = ()) -> None:
        del waiting
        if nodeid is None:
            self._got_last_test = True
        else:
            self.unfinished.append(nodeid)

    def events(self, limit: float) -> list[dict[str, Any]]:
        del limit
        if self.failure is not None or not self.unfinished:
            return []
        nodeid = self.started = self.unfinished[0]
        setup = {"event": "report", "nodeid": nodeid, "data": {"longrepr": None, "outcome": "passed"}}
        if "crash" in nodeid and FakeGuest.crashes:
            FakeGuest.crashes -= 1
            self.failure = "Kernel panic"
            return [setup]
        self.unfinished.pop(0)
        self.cpu_taken[nodeid] = 1.0
        return [setup, {"event": "finish", "nodeid": nodeid}]

    def finish(self) -> None:
        assert not self.unfinished


def item_of(nodeid: str, outcomes: dict[str, list[str]]) -> Any:
    def take(report: pytest.TestReport) -> None:
        outcomes.setdefault(nodeid, []).append(report.outcome)

    hooks = SimpleNamespace(
        pytest_runtest_logstart=lambda **_: None,
        pytest_runtest_logreport=take,
        pytest_runtest_logfinish=lambda **_: None,
    )
    return SimpleNamespace(
        nodeid=nodeid, location=("x", 1, nodeid), path=Path("x"), ihook=hooks, iter_markers=lambda _name: iter(())
    )


@pytest.mark.parametrize("crashes", [1, bridge.MAX_PANICS, bridge.MAX_PANICS + 1])
def test_another_kernel_finishes_after_a_crash(monkeypatch: pytest.MonkeyPatch, crashes: int) -> None:
    monkeypatch.setattr(bridge, "Guest", FakeGuest)
    monkeypatch.setattr(bridge, "wanted_cluster", lambda _item: "a cluster")
    monkeypatch.setattr(bridge, "LOOK", 0.0)
    monkeypatch.setattr(FakeGuest, "crashes", crashes)
    outcomes: dict[str, list[str]] = {}

    def deserialize(config: object, data: dict[str, Any]) -> pytest.TestReport:
        del config
        return pytest.TestReport("x", ("x", 1, "x"), {}, data["outcome"], data["longrepr"], "setup")

    config = SimpleNamespace(hook=SimpleNamespace(pytest_report_from_serializable=deserialize))
    session: Any = SimpleNamespace(config=config, shouldfail=False, shouldstop=False)
    run = bridge.LabRun(session, [item_of(name, outcomes) for name in ("a", "crash", "z")])
    run.run()
    assert len(run.panics) == min(crashes, bridge.MAX_PANICS)
    assert all("crash" in text for text in run.panics)
    has_failed = crashes > bridge.MAX_PANICS  # too many crashes for a coincidence
    assert outcomes["crash"] == (["passed", "failed"] if has_failed else ["passed"])
    assert set(outcomes) == {"a", "crash", "z"}
