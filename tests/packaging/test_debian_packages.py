"""When Debian packages are offered, how often, and the command to paste; with stand-ins for apt, dpkg, id and sudo."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ui.pseudo_terminal import PseudoTerminal

SCRIPT = Path(__file__).parents[2] / "packaging" / "debian-packages"
GROUPS = ("venv", "deb", "root")
PACKAGES = "python3-venv lintian mmdebstrap debian-archive-keyring"
COMMAND = f"apt-get install --no-install-recommends {PACKAGES}"
STAND_INS = {
    "id": "echo 1000",
    "dpkg-query": 'for last in "$@"; do :; done; [ "$last" = dpkg ] && printf installed',
    "apt-get": 'echo "apt-get $*" >>"$CALLS"',
    "sudo": 'echo "sudo $*: $(cat)" >>"$CALLS"; exit ${SUDO_STATUS:-0}',
}


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder that is the only one on $PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env", "cat"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, script in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def calls(commands: Path) -> str:
    file = commands.parent / "calls"
    return file.read_text() if file.exists() else ""


def environment(commands: Path, **more: str) -> dict[str, str]:
    return {"PATH": str(commands), "CALLS": str(commands.parent / "calls"), **more}


def in_a_pipe(commands: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env=environment(commands), timeout=300,
    )  # fmt: skip


def on_a_terminal(commands: Path, answer: str, **more: str) -> tuple[str, int]:
    """Returns what a user sees, and the exit status."""
    terminal = PseudoTerminal(
        *GROUPS, command=(str(SCRIPT), "--ask"), env=environment(commands, **more), size=(120, 24)
    )
    with terminal:
        terminal.shows(
            "kvtui needs these Debian packages: python3-venv lintian mmdebstrap debian-archive-keyring", "[Y/n]"
        )
        terminal.press(answer)
        status = terminal.ended()
        return terminal.text, status


@pytest.mark.parametrize("ask", [(), ("--ask",)])
def test_without_a_terminal_one_command_installs_all_groups(commands: Path, ask: tuple[str, ...]) -> None:
    done = in_a_pipe(commands, *ask, *GROUPS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].strip() == f"sudo {COMMAND}"
    assert calls(commands) == ""


def test_without_sudo_the_command_uses_su(commands: Path) -> None:
    (commands / "sudo").unlink()
    assert f"su - -c '{COMMAND}'\n" in in_a_pipe(commands, "--ask", *GROUPS).stderr


@pytest.mark.parametrize("answer", ["y\n", "Yes\n", "\n"])
def test_one_yes_installs_all_groups_by_sudo(commands: Path, answer: str) -> None:
    _, status = on_a_terminal(commands, answer)
    assert status == 0
    assert calls(commands).startswith("sudo sh -s -- venv deb root: #!/bin/sh\n")
    assert calls(commands).count("sudo sh -s -- venv") == 1


@pytest.mark.parametrize("answer", ["n\n", "what?\n", "\x04"])
def test_any_other_answer_prints_the_command(commands: Path, answer: str) -> None:
    text, status = on_a_terminal(commands, answer)
    assert status == 1
    assert f"sudo {COMMAND}" in text
    assert calls(commands) == ""


def test_if_sudo_refuses_the_command_is_printed(commands: Path) -> None:
    text, status = on_a_terminal(commands, "y\n", SUDO_STATUS="1")
    assert status == 1
    assert f"sudo {COMMAND}" in text
    assert calls(commands).count("sudo sh -s -- venv") == 1


def test_if_all_is_installed_nothing_is_printed(commands: Path) -> None:
    (commands / "dpkg-query").write_text("#!/bin/sh\nprintf installed\n")
    done = in_a_pipe(commands, "--ask", *GROUPS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_group_that_does_not_exist_is_a_usage_error(commands: Path) -> None:
    assert in_a_pipe(commands, "--ask", "venv", "nonsense").returncode == 2
    assert in_a_pipe(commands).returncode == 2
