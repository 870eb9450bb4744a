"""A reload keeps the config that ran before for an undo; the undo keeps the newer file."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.steps import kept_config
from kvtui.actions.steps.kept_config import KeepConfig
from kvtui.backend.conf import reader
from tests.actions.preflights import CONF, daemon
from tests.kit import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

NEWER = CONF.replace("priority 100", "priority 42")


class Stage:
    """A keepalived that runs ``CONF`` while its file is ``NEWER``."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.keepalived: Keepalived = daemon(folder)
        self.file = folder / "keepalived.conf"
        self.file.write_text(CONF)
        self.running: Conf = self.read()
        self.copy = "# keepalived.conf\n" + "\n".join(line.strip() for line in CONF.split("\n")) + "\n!\n"
        patch.setattr(Daemon, "found", lambda _self: self.keepalived)
        patch.setattr(Daemon, "root", lambda _self: "")
        patch.setattr(kept_config, "read_copy", lambda _pid: self.copy)
        patch.setattr(kept_config, "running_conf", lambda _keepalived: self.running)
        ran = self.running.digest
        self.file.write_text(NEWER)
        self.file.chmod(0o640)
        patch.setenv("KVTUI_STATE_DIR", str(folder / "state"))
        self.step = KeepConfig(Daemon.of(self.keepalived), ran, self.read().digest)

    def read(self) -> Conf:
        return reader.read(str(self.file), now=NOW)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_undo_restores_the_config_and_keeps_the_newer_file(stage: Stage) -> None:
    step = stage.step
    assert step.state() is StepState.PENDING
    step.do()
    kept = step.kept
    assert kept.parent == stage.folder / "state" / "configs"
    assert (stat.S_IMODE(kept.stat().st_mode), step.state()) == (0o600, StepState.APPLIED)
    stage.running = stage.read()  # reloaded
    step.undo()
    assert (stage.read().digest, step.state()) == (step.ran, StepState.PENDING)
    newer = stage.folder / step.newer_name.rpartition("/")[2]
    assert (newer.read_text(), stat.S_IMODE(newer.stat().st_mode)) == (NEWER, 0o640)
    assert newer.name in step.describe_undo()
    assert KeepConfig.from_json(step.to_json()) == step


def test_undo_leaves_the_file_where_no_reload_was_sent(stage: Stage) -> None:
    stage.step.do()
    stage.step.undo()
    assert stage.file.read_text() == NEWER
    assert stage.step.state() is StepState.PENDING


def test_undo_restores_the_file_before_keepalived_has_read_the_newer_one(stage: Stage) -> None:
    """The signal was sent: keepalived is about to read the file, so it must be the previous one."""
    step = replace(stage.step, is_sent=lambda: True)
    step.do()
    step.undo()
    assert stage.read().digest == step.ran


def test_a_second_reload_of_the_same_configs_keeps_the_config_again(stage: Stage) -> None:
    """Otherwise the step would count as applied before it is done, and would not be put back."""
    stage.step.do()
    sent: list[bool] = []
    again = replace(stage.step, is_sent=lambda: bool(sent))
    assert again.state() is StepState.PENDING
    again.do()
    sent.append(True)
    assert again.state() is StepState.APPLIED


def test_a_config_that_was_reloaded_since_the_plan_is_not_kept(stage: Stage) -> None:
    stage.running = stage.read()
    with pytest.raises(StepError, match="was reloaded since the plan was made"):
        stage.step.do()
