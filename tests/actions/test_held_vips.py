"""After an undo kvtui checks each step and the VIPs before it reports success."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core import held_vips
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import ExitCode, Runner
from kvtui.actions.core.step import StepError
from kvtui.actions.live import LiveBackend
from tests.actions.fakes import WriteNote, action, hanging, note, results

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action, Outcome

VIP, OTHER = ("eth0", "10.4.0.50", 32), ("eth0", "10.4.0.51", 32)
DAEMON = Daemon(1, 1, "/etc/keepalived/keepalived.conf", None, None)


class Addresses(LiveBackend):
    """Returns these addresses, one set per reading, and repeats the last one."""

    def __init__(self, *looks: frozenset[tuple[str, str, int]] | StepError) -> None:
        super().__init__()
        self.looks = list(looks)

    def addresses(self, daemon: Daemon) -> frozenset[tuple[str, str, int]]:
        assert daemon == DAEMON
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, StepError):
            raise found
        return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIN_TIMEOUT", "MAX_TIMEOUT", "PAUSE"):
        monkeypatch.setattr(held_vips, name, 0.01)


def held(backend: ActionBackend) -> HeldVips:
    return HeldVips(backend, DAEMON, frozenset({VIP}), frozenset({OTHER[1]}), interval=0.02)


async def interrupted(of: Action, folder: Path) -> Outcome:
    at = asyncio.Event()
    task = asyncio.ensure_future(Runner(Journal(folder)).run(replace(of, verify=hanging(at=at).verify)))
    await at.wait()
    task.cancel()
    return await task


@pytest.mark.parametrize(
    ("looks", "end"),
    [
        ([{VIP}], "everything was put back"),
        ([{}, {VIP}], "everything was put back"),
        ([{}], "the VIPs are NOT as before: 10.4.0.50 is not back on eth0 after 0 s: see kvtui vips"),
        ([{VIP}, {}], "the VIPs are NOT as before: 10.4.0.50 is not back on eth0 after 0 s: see kvtui vips"),
        ([{VIP, OTHER}], "the VIPs are NOT as before: 10.4.0.51 is still on eth0 after 0 s: see kvtui vips"),
        ([{("eth1", *VIP[1:])}], "the VIPs are NOT as before: 10.4.0.50 is not back on eth0 after 0 s: see kvtui vips"),
        ([StepError("it is gone")], "but it is unknown whether the VIPs are as before: it is gone"),
    ],
    ids=["there", "back", "gone", "leaves", "more", "elsewhere", "unknown"],
)
async def test_the_vips_are_checked_after_an_undo(tmp_path: Path, looks: list[Any], end: str) -> None:
    backend = Addresses(*(s if isinstance(s, StepError) else frozenset(s) for s in looks))
    outcome = await interrupted(action(note(tmp_path, "a"), vips=held(backend)), tmp_path / "state")
    assert outcome.code is ExitCode.INTERRUPTED
    assert outcome.detail.endswith(end)
    assert results(Journal(tmp_path / "state")) == ["put back" if end.startswith("everything") else "failed"]


async def test_the_vips_are_not_checked_where_nothing_was_done(tmp_path: Path) -> None:
    outcome = await interrupted(action(vips=held(Addresses(frozenset()))), tmp_path / "state")
    assert outcome.detail == "interrupted; nothing had been changed"


class Stubborn(WriteNote):
    """Its undo returns without an error and changes nothing."""

    def undo(self) -> None:
        pass


async def test_a_step_that_is_not_undone_is_named(tmp_path: Path) -> None:
    made = note(tmp_path, "a")
    outcome = await interrupted(action(Stubborn(made.path, made.before, made.after)), tmp_path / "state")
    assert outcome.detail == "interrupted; NOT put back: write new into a: it is not as before"
    assert results(Journal(tmp_path / "state")) == ["failed"]


async def test_a_value_that_was_lowered_in_steps_is_restored(tmp_path: Path) -> None:
    """Each step knows only its own two values."""
    steps = [note(tmp_path, "a", after, before) for before, after in (("old", "b"), ("b", "c"), ("c", "d"))]
    outcome = await interrupted(action(*steps), tmp_path / "state")
    assert outcome.detail == "interrupted; everything was put back"


def test_the_journal_keeps_the_vips() -> None:
    backend = LiveBackend()
    assert HeldVips.from_json(held(backend).to_json(), backend) == held(backend)
