"""`make run` as the first command on a machine: what it prints without a network, and what it leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import run, terminal
from tests.lab.kernel import Kernel, LabError
from tests.lab.nearby import NearbyDaemon, daemons, what_to_show

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
# a Python whose environments come without an index of packages
case "$*" in
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*" install "*) echo "ERROR: no matching distribution" >&2; exit 1 ;;
esac
"""


def test_each_target_has_one_recipe() -> None:
    """make uses the last of two, and warns only on stderr."""
    ended = subprocess.run(["make", "-n", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_without_packages_make_prints_a_remedy_and_starts_again_the_next_time(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    (tmp_path / "packaging").mkdir()
    shutil.copy(PROJECT / "packaging/progress", tmp_path / "packaging")
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / "python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    command = ["make", "run", f"PYTHON={python}"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 2
    assert "could not be had from PyPI" in ended.stderr
    assert "PIP_INDEX_URL=https://... make run" in ended.stderr
    assert not (tmp_path / ".venv/bin/python").exists()


@pytest.mark.parametrize("argument", ["--demo", "--help", "-h", "--version"])
def test_nothing_is_booted_for_commands_that_read_no_node(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def become(*arguments: str) -> None:
        raise SystemExit(" ".join(arguments))

    monkeypatch.setattr(run, "become_kvtui", become)
    with pytest.raises(SystemExit, match=f"{argument} vips"):
        run.main([argument, "vips"])


@pytest.mark.parametrize("why", [None, "It needs user-mode-linux.", "kernel panic"])
def test_the_demo_is_shown_with_the_reason_if_the_lab_cannot_be_used(
    why: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def become(*arguments: str) -> None:
        raise SystemExit(" ".join(arguments))

    def lab(_arguments: list[str]) -> None:
        if why is None:
            raise SystemExit("lab")
        raise LabError(why)

    monkeypatch.setattr(run, "daemons", list)
    monkeypatch.setattr(run, "why_not", lambda: why if why and "needs" in why else None)
    monkeypatch.setattr(run, "become_kvtui", become)
    monkeypatch.setattr(run, "has_terminal", lambda: False)
    monkeypatch.setattr(run, "without_terminal", lab)
    with pytest.raises(SystemExit, match=r"^lab$" if why is None else r"^--demo vips$"):
        run.main(["vips"])
    printed = capsys.readouterr().err
    assert printed.startswith("No keepalived runs here.\n")
    assert (f"\n{why}\nStarting the built-in demo instead" in printed) is (why is not None)


HERE = NearbyDaemon(819, own_network=True, contained=False)
ELSEWHERE = NearbyDaemon(820, own_network=False, contained=True)


@pytest.mark.parametrize(
    ("arguments", "found", "needed"),
    [
        (["vips"], [], True),
        (["vips"], [HERE], False),
        (["vips"], [ELSEWHERE], True),
        (["--pid", "820"], [ELSEWHERE], False),
        (["--demo"], [], False),
    ],
)
def test_the_labs_packages_are_offered_only_if_it_will_be_booted(
    arguments: list[str], found: list[NearbyDaemon], needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "daemons", lambda: found)
    assert run.main(["--needs-lab", *arguments]) == int(not needed)


class Proc:
    """A folder like /proc, with processes of several namespaces; this process is in network namespace 1."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.add("self", "python3", "")

    def add(self, pid: int | str, command: str, parent: int | str, net: int | None = 1, depth: int = 1) -> None:
        folder = self.root / str(pid)
        (folder / "ns").mkdir(parents=True)
        (folder / "cmdline").write_text(command.replace(" ", "\0") + "\0")
        (folder / "status").write_text(f"Pid:\t{pid}\nNSpid:\t{' '.join(['7'] * depth)}\n")
        (folder / "task" / str(pid)).mkdir(parents=True)
        (folder / "task" / str(pid) / "children").write_text("")
        if net is not None:  # otherwise kvtui may not read it
            (folder / "ns" / "net").symlink_to(f"net:[{net}]")
            (folder / "ns" / "mnt").symlink_to(f"mnt:[{depth}]")
        if parent:
            children = self.root / str(parent) / "task" / str(parent) / "children"
            children.write_text(f"{children.read_text()}{pid} ")


@pytest.mark.parametrize(
    ("command", "where", "sentence"),
    [
        ("/usr/sbin/keepalived --dont-fork", {}, "keepalived runs here, PID 7: kvtui shows it."),
        ("keepalived", {"net": None}, "keepalived runs here, PID 7: kvtui shows it."),
        ("keepalived", {"depth": 2}, "keepalived runs in a container on this node's network, PID 7: kvtui shows it."),
        ("keepalived", {"depth": 2, "net": None}, "keepalived runs in a container, PID 7; only root sees"),
        ("keepalived", {"depth": 2, "net": 9}, "PID 7 runs in a container with a network of its own"),
        ("keepalived -t -f /etc/keepalived/keepalived.conf", {}, "No keepalived runs here."),
        ("keepalived --config-test=/tmp/out", {}, "No keepalived runs here."),
        ("keepalived -nlt", {}, "No keepalived runs here."),
        ("vi keepalived.conf", {}, "No keepalived runs here."),
    ],
)
def test_make_run_attaches_only_to_a_daemon_of_this_node(
    command: str, where: dict[str, int | None], sentence: str, tmp_path: Path
) -> None:
    proc = Proc(tmp_path)
    proc.add(7, command, "", **where)  # type: ignore[arg-type]
    proc.add(8, command, 7, **where)  # type: ignore[arg-type] # its VRRP process
    daemon, printed = what_to_show(daemons(str(tmp_path)))
    assert sentence in printed
    assert (daemon is not None) is printed.startswith("keepalived runs")


def test_nodes_that_do_not_start_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(["true"])
    kernel.dir = tmp_path
    kernel.out.mkdir()
    monkeypatch.setattr(kernel, "wait", lambda _timeout: 1)
    assert terminal.wait_for(kernel) == 1
    (kernel.out / terminal.FAILURE).write_text("not within 20 s: keepalived on node-a\n")
    with pytest.raises(LabError, match=r"^The nodes of the lab did not start: not within 20 s: keepalived on node-a$"):
        terminal.wait_for(kernel)
