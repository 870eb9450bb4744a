"""Commands to copy: every name from a container, a config or the API stays one word of one line."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvtui.actions.equivalent_commands import of_instance, of_mapping, of_vip
from kvtui.actions.reload.plan import reload_commands
from kvtui.actions.steps.track_value import write_number
from kvtui.model.text import plain, shell_word
from kvtui.observer import TriageRunner
from tests.kit import keepalived
from tests.ui.hostile import cluster, world

if TYPE_CHECKING:
    from pathlib import Path

MARK = "PWN"
NAMES = (
    f"; {MARK}; ",
    f"$({MARK})`{MARK}`${{{MARK}}}",
    f"'; {MARK} '",
    f'"; {MARK} "',
    f"a'\"'\"'; {MARK}",
    f"x\n{MARK}\r{MARK}\u2028{MARK}",
    f"x  # {MARK}",
    f"x'  # ' {MARK}",
    f"\\'; {MARK}",
    f"-rf {MARK} *",
    f"x > {MARK} | {MARK} & {MARK}",
)
TEXTS = st.lists(st.sampled_from(["'", '"', "\\", "; ", "  # ", "$(", "`", "\n", "|", "x", MARK, " "]), max_size=12)


def outside_quotes(command: str) -> str:
    return re.sub(r"'[^']*'|\"'\"", "", command)


def assert_harmless(command: str) -> None:
    assert "\n" not in plain(command)
    for part in plain(command).partition("  # ")[0].split("; "):  # as kvtui copies a command and splits a remedy
        shlex.split(part)
        assert MARK not in outside_quotes(part), part


@given(TEXTS.map("".join))
@example("a  # b; c")
@example("'  #  #")
def test_a_hostile_name_stays_one_word(name: str) -> None:
    quoted = shell_word(name)
    assert shlex.split(quoted) == [plain(name)]
    assert "; " not in quoted
    assert "  # " not in quoted


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_plans_and_remedies(name: str) -> None:
    daemon = keepalived(conf=f"/{name}", argv=(name, "-i", name))
    commands = [write_number(5, f"/{name}"), *reload_commands(daemon)]
    for seen in (world(name), cluster(name)):
        commands += [of_vip(seen, vip) for vip in seen.vips or ()]
        commands += [of_instance(seen, instance) for instance in seen.vrrp_instances or ()]
        commands += [of_mapping(seen, mapping) for mapping in seen.mappings or ()]
        triage = TriageRunner()
        commands += [f.remedy for f in (*(triage.run(seen, force=True).findings or ()), *triage.undecided)]
    assert len(commands) > 10
    for command in commands:
        assert_harmless(command)


def test_a_shell_reads_a_hostile_name_as_one_word(tmp_path: Path) -> None:
    for name in NAMES:
        file = tmp_path / plain(name).replace("/", "")
        subprocess.run(["sh", "-c", write_number(7, str(file))], check=True, cwd=tmp_path, timeout=60)
        assert file.read_text() == "7\n"
        file.unlink()
    assert list(tmp_path.iterdir()) == []
