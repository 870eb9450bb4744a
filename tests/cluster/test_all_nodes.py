"""Actions on several nodes: all plan first, then all act or all put back. The lab tests this on real nodes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kvtui.cli import all_nodes
from kvtui.cli.main import run

FAKE_KVTUI = Path(__file__).with_name("fake_kvtui.py")
HOSTS = ("a", "b", "c")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the hosts' journals; the config of kvtui names the hosts."""
    config = tmp_path / "kvtui.toml"
    ssh = f"{sys.executable} -IS {FAKE_KVTUI} {tmp_path}"
    config.write_text(f'[cluster]\nhosts = ["a", "b", "c"]\nssh = "{ssh}"\n')
    monkeypatch.setenv("KVTUI_CONFIG", str(config))
    return tmp_path


def drain(*options: str) -> int:
    return run(lambda _invocation: None, ["--reason", "update", *options, "drain", "10.2.0.1", "--all-nodes"])


def results(folder: Path) -> dict[str, list[str]]:
    """Returns the results in the journal of each host, without undo entries."""
    return {h: [e["result"] for e in entries(folder, h) if not e["undoes"]] for h in HOSTS}


def entries(folder: Path, host: str) -> list[dict[str, Any]]:
    file = folder / f"{host}.json"
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return found


def test_all_nodes_act_under_one_id(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drain("--yes", "-o", "json") == 0
    assert results(folder) == {h: ["done"] for h in HOSTS}
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert {e["reason"] for h in HOSTS for e in entries(folder, h)} == {f"[{document['id']}] update"}
    assert "a: set weight 0 (drain -- 10.2.0.1)" in output.err
    assert document["nodes"].keys() == set(HOSTS)


def test_no_node_acts_if_one_cannot_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.fails").write_text("plan")
    assert drain("--yes") == 3
    assert not any(entries(folder, h) for h in HOSTS)
    assert "b: refused: no such real server; nothing was done on any node" in capsys.readouterr().err


def test_no_node_acts_without_yes_or_in_a_dry_run(folder: Path) -> None:
    assert (drain(), drain("--dry-run"), drain("--yes", "--read-only")) == (3, 0, 3)
    assert not any(entries(folder, h) for h in HOSTS)


@pytest.mark.parametrize(
    ("fails", "result"),
    [("apply", "put back"), ("lost", "undone"), ("hangs", "undone")],
    ids=["before the commit", "after it", "without an answer to it"],
)
def test_all_nodes_put_back_if_one_fails(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fails: str, result: str
) -> None:
    if fails == "hangs":
        monkeypatch.setattr(all_nodes, "PUT_BACK_SECONDS", 3.0)
        monkeypatch.setattr(all_nodes, "FIND_PAUSE", 0.01)
    (folder / "b.fails").write_text(fails)
    assert drain("--yes") == 1
    assert results(folder) == {h: [result] for h in HOSTS}
    assert "all that was done is put back" in capsys.readouterr().err


def test_one_after_another_stops_at_the_first_that_fails(folder: Path) -> None:
    (folder / "b.fails").write_text("apply")
    assert run(lambda _invocation: None, ["--yes", "reload", "--all-nodes", "--one-at-a-time"]) == 1
    assert results(folder) == {"a": ["put back"], "b": ["put back"], "c": []}


def test_a_signal_waits_for_running_nodes_and_puts_all_back(folder: Path) -> None:
    (folder / "b.fails").write_text("slow")
    argv = [sys.executable, "-m", "kvtui", "--yes", "drain", "10.2.0.1", "--all-nodes"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 120
        while results(folder) != {"a": [None], "b": [], "c": [None]} and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        (folder / "go").touch()
        _out, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted; all that was done is put back" in errors
    assert results(folder) == {h: ["put back"] for h in HOSTS}
