"""Where a reload is on its way, as seen from what runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.step import Side, StepFailed
from kvtui.actions.steps import hangup, make
from kvtui.actions.steps.daemon import Daemon
from kvtui.actions.steps.hangup import HangUp, When
from kvtui.actions.verdict import Verdict
from tests.build import conf, keepalived

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Daemon(820, 1, "/c", 1, 1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[str]]:
    """What runs, by digest (None: it cannot be read); the list has a word for each signal."""
    sent: list[str] = []
    runs: list[str | None] = [None]

    def reload(self: HangUp) -> None:
        sent.append(self.when.value)

    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr(HangUp, "_reload", reload)
    monkeypatch.setattr(
        hangup, "read_running", lambda _pid, **_k: None if runs[0] is None else replace(conf(), digest=runs[0])
    )

    def set_(digest: str | None) -> list[str]:
        runs[0] = digest
        return sent

    return set_


def again(step: HangUp) -> HangUp:
    made = make({"kind": "hangup", **json.loads(json.dumps(step.to_json()))})
    assert isinstance(made, HangUp)
    return made


def test_each_way_signals_once(world: Callable[[str | None], list[str]]) -> None:
    sent = world("old")
    first, last = HangUp(HERE, When.UNDO, ("old",)), HangUp(HERE, When.DO, ("old",))
    first.do()
    last.do()
    assert sent == ["do"]
    world("new")
    assert (first.look(), last.look()) == (Side.AFTER, Side.AFTER)
    last.undo()
    first.undo()
    assert sent == ["do", "undo"]
    world("old")
    assert (first.look(), last.look()) == (Side.BEFORE, Side.BEFORE)


@pytest.mark.parametrize(("digest", "side"), [("old", Side.BEFORE), ("edited", Side.BEFORE), ("new", Side.AFTER)])
def test_from_the_journal_it_is_seen_by_what_runs(
    world: Callable[[str | None], list[str]], digest: str, side: Side
) -> None:
    world(digest)
    for when in When:
        assert again(HangUp(HERE, when, ("old", "edited"))).look() is side


def test_where_what_runs_cannot_be_read_one_reload_too_many_is_sent(world: Callable[[str | None], list[str]]) -> None:
    sent = world(None)
    step = again(HangUp(HERE, When.UNDO, ()))
    assert step.look() is Side.AFTER
    step.undo()
    assert (step.look(), sent) == (Side.BEFORE, ["undo"])


def test_a_reload_alone_has_no_way_back(world: Callable[[str | None], list[str]]) -> None:
    world("same")
    step = HangUp(HERE, When.DO, shown="same", alone=True)
    assert step.look() is Side.BEFORE  # asked for, though nothing changed
    step.do()
    assert step.look() is Side.AFTER
    with pytest.raises(StepFailed, match="cannot be taken back"):
        step.undo()
    assert again(step).look() is Side.AFTER
    world("other")
    assert again(step).look() is Side.BEFORE


def test_nothing_is_sent_when_the_last_test_is_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        conf = None

    sent: list[object] = []
    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr("kvtui.actions.survey.survey", lambda _k: Found)
    monkeypatch.setattr("kvtui.actions.verdict.judge", lambda _s: Verdict(fatal=("/c:3: no VRID",)))
    monkeypatch.setattr(hangup, "hang_up", sent.append)
    with pytest.raises(StepFailed, match="not reloaded, keepalived runs on as before: /c:3: no VRID"):
        HangUp(HERE, When.DO).do()
    assert sent == []
