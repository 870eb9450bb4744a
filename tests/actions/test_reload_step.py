"""The state of a reload step, from the running config."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.assess_reload import ReloadAssessment
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.preflight import Scope
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.core.step_kinds import make
from kvtui.actions.steps import reload as reload_step
from kvtui.actions.steps.reload import ReloadStep, When
from tests.kit import conf, keepalived

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Daemon(820, 1, "/c", 1, 1)


@pytest.fixture
def set_running(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[str]]:
    """Sets the digest of the running config (None: unreadable) and returns the list of sent signals."""
    sent: list[str] = []
    runs: list[str | None] = [None]

    def reload(self: ReloadStep) -> None:
        sent.append(self.when.value)

    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr(ReloadStep, "reload_once", reload)
    monkeypatch.setattr(
        reload_step, "running_conf", lambda _keepalived: None if runs[0] is None else replace(conf(), digest=runs[0])
    )

    def set_(digest: str | None) -> list[str]:
        runs[0] = digest
        return sent

    return set_


def again(step: ReloadStep) -> ReloadStep:
    made = make({"kind": "hangup", **json.loads(json.dumps(step.to_json()))})
    assert isinstance(made, ReloadStep)
    return made


def test_do_and_undo_signal_once_each(set_running: Callable[[str | None], list[str]]) -> None:
    sent = set_running("old")
    first, last = ReloadStep(HERE, When.UNDO, ("old",)), ReloadStep(HERE, When.DO, ("old",))
    first.do()
    last.do()
    assert sent == ["do"]
    set_running("new")
    assert (first.state(), last.state()) == (StepState.APPLIED, StepState.APPLIED)
    last.undo()
    first.undo()
    assert sent == ["do", "undo"]
    set_running("old")
    assert (first.state(), last.state()) == (StepState.PENDING, StepState.PENDING)


@pytest.mark.parametrize(
    ("digest", "state"), [("old", StepState.PENDING), ("edited", StepState.PENDING), ("new", StepState.APPLIED)]
)
def test_a_step_from_the_journal_compares_the_running_config(
    set_running: Callable[[str | None], list[str]], digest: str, state: StepState
) -> None:
    set_running(digest)
    for when in When:
        assert again(ReloadStep(HERE, when, ("old", "edited"))).state() is state


def test_undo_reloads_where_the_running_config_cannot_be_read(set_running: Callable[[str | None], list[str]]) -> None:
    sent = set_running(None)
    step = again(ReloadStep(HERE, When.UNDO, ()))
    assert step.state() is StepState.APPLIED
    step.undo()
    assert (step.state(), sent) == (StepState.PENDING, ["undo"])


def test_a_reload_alone_cannot_be_undone(set_running: Callable[[str | None], list[str]]) -> None:
    set_running("same")
    step = ReloadStep(HERE, When.DO, shown="same", alone=True)
    assert step.state() is StepState.PENDING  # requested, though nothing changed
    step.do()
    assert step.state() is StepState.APPLIED
    with pytest.raises(StepError, match="cannot be undone"):
        step.undo()
    assert again(step).state() is StepState.APPLIED
    set_running("other")
    assert again(step).state() is StepState.PENDING


def test_nothing_is_sent_when_the_last_test_is_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        conf = None

    sent: list[object] = []
    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr("kvtui.actions.core.preflight.run_preflight", lambda _k, **_: Found)
    monkeypatch.setattr(
        "kvtui.actions.core.assess_reload.assess_reload", lambda _s: ReloadAssessment(fatal=("/c:3: no VRID",))
    )
    monkeypatch.setattr(reload_step, "send_sighup", sent.append)
    with pytest.raises(StepError, match="not reloaded, keepalived runs as before: /c:3: no VRID"):
        ReloadStep(HERE, When.DO).do()
    assert sent == []


def test_an_error_of_the_running_config_does_not_stop_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last test compares with the running config only where an error would be fatal."""

    class Found:
        conf = None

    scopes: list[Scope] = []

    def run_preflight(_keepalived: object, *, scope: Scope = Scope.COMPARED, **_: object) -> type[Found]:
        scopes.append(scope)
        return Found

    found = iter([ReloadAssessment(fatal=("Extra '}' found: the rest of the file is misread",)), ReloadAssessment()])
    sent: list[object] = []
    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr("kvtui.actions.core.preflight.run_preflight", run_preflight)
    monkeypatch.setattr("kvtui.actions.core.assess_reload.assess_reload", lambda _s: next(found))
    monkeypatch.setattr(reload_step, "mark", lambda _pid: None)
    monkeypatch.setattr(reload_step, "send_sighup", sent.append)
    ReloadStep(HERE, When.DO).do()
    assert (scopes, len(sent)) == ([Scope.TESTED, Scope.COMPARED], 1)
