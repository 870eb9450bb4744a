"""Reload: kvtui refuses configs that would stop keepalived, shows its warnings, and verifies the result."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.preflight import run_preflight
from kvtui.backend.linux.processes import choose, find
from tests.lab.operate import graded, operate
from tests.lab.poll import poll

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster


def line_of(text: str, pattern: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if re.search(pattern, line))


CONF = "/etc/keepalived/keepalived.conf"


def without_vrid(text: str) -> str:
    return re.sub(r"\n *virtual_router_id 50", "", text)


def early_brace(text: str) -> str:
    return text.replace("priority 102", "priority 102\n}")


BROKEN = {
    "no VRID": (without_vrid, "IMPOSSIBLE", rf"^{CONF}:\d+: .*virtual_router_id is missing"),
    "early brace": (early_brace, "IMPOSSIBLE", rf"^{CONF}:\d+: This '}}' closes no block"),
    "empty file": (lambda _text: "", "IMPOSSIBLE", rf"^{CONF} has no vrrp_instance and no virtual_server"),
    "missing file": (lambda _text: None, "IMPOSSIBLE", rf"^{CONF} does not exist: a reload would remove every"),
    "missing include": (lambda text: text + "\ninclude nowhere.conf\n", "UNSAFE", r"No file matches 'nowhere.conf'"),
    "priority 300": (
        lambda text: text.replace("priority 102", "priority 300"),
        "WARNING",
        rf"^{CONF}:\d+: number '300' outside range \[1, 255\]",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_six_broken_configs(cluster: Cluster, name: str) -> None:
    edit, severity, sentence = BROKEN[name]
    node = cluster.master()
    text = node.conf_path.read_text()
    before = (node.keepalived_pid, node.addresses(), node.log())
    broken = edit(text)
    if broken is None:
        node.conf_path.unlink()
    else:
        node.write_conf(broken)
    try:
        report = operate(node, "reload", dry_run=True) if severity == "WARNING" else operate(node, "reload")
        assert [t for t in graded(report, severity) if re.search(sentence, t)], report["remarks"]
        if severity == "WARNING":
            assert graded(report, "IMPOSSIBLE") + graded(report, "UNSAFE") == []
        else:
            assert (report["code"], report["id"]) == (3, "")
            assert "reload" not in node.log()[len(before[2]) :].lower()
    finally:
        node.write_conf(text)
    assert (node.keepalived_pid, node.addresses()) == before[:2]
    assert Path(f"/proc/{node.keepalived_pid}").exists()
    assert cluster.master() is node


def test_priority_300_is_reloaded_with_a_warning(cluster: Cluster) -> None:
    """keepalived continues with priority 100: the plan has a warning, and the outcome shows the value."""
    node = cluster.master()
    pid = node.keepalived_pid
    text = node.conf_path.read_text()
    node.write_conf(text.replace("priority 102", "priority 300"))
    report = operate(node, "reload")
    [row] = report["facts"]["vrrp"]
    assert report["code"] == 0, report
    assert (row["priority_before"], row["priority_after"]) == (102, 100)
    assert node.keepalived_pid == pid
    node.reload(text)


@pytest.mark.debian13
def test_a_changed_weight_is_shown_and_undoes_the_drain(cluster: Cluster) -> None:
    node = cluster.master()
    text = node.conf_path.read_text()
    drain = ["ipvsadm", "-e", "-t", "10.4.0.50:80", "-r"]
    node.exec([*drain, "10.4.0.11:80", "-g", "-w", "0"], check=True)
    node.exec([*drain, "10.4.0.12:80", "-g", "-w", "0"], check=True)
    head, _, tail = text.partition("real_server 10.4.0.11 80")
    node.write_conf(head + "real_server 10.4.0.11 80" + tail.replace("weight 1", "weight 3", 1))
    report = operate(node, "reload")
    assert report["code"] == 0, report
    assert "-weight 1\n" in report["diff"].replace(" ", "").replace("weight", "weight ")
    assert report["changes"] == [["10.4.0.11:80 in 10.4.0.50:80", "weight 1", "weight 3"]]
    assert "10.4.0.11:80 in 10.4.0.50:80 is drained" in graded(report, "WARNING")[0]
    rows = {(r["virtual_server"], r["real_server"]): r for r in report["facts"]["ipvs"]}
    first, second = rows["10.4.0.50:80", "10.4.0.11:80"], rows["10.4.0.50:80", "10.4.0.12:80"]
    assert (first["weight_before"], first["weight_after"]) == (0, 3)
    assert (second["weight_before"], second["weight_after"]) == (0, 0)
    assert report["facts"]["undone_drains"] == ["10.4.0.11:80 in 10.4.0.50:80 (weight 3 again)"]
    rules = node.ipvs()
    assert "-a -t 10.4.0.50:80 -r 10.4.0.11:80 -g -w 3" in rules
    newer = node.conf_path.read_text()
    undone = operate(node, "undo", report["id"])
    assert undone["code"] == 0, undone
    assert "-a -t 10.4.0.50:80 -r 10.4.0.11:80 -g -w 1" in node.ipvs()
    (kept,) = node.conf_path.parent.glob("keepalived.conf.newer-*")
    assert kept.read_text() == newer
    assert kept.name in " ".join(undone["printed"])
    assert {f.stat().st_mode & 0o777 for f in (node.folder / "state" / "configs").iterdir()} == {0o600}
    kept.unlink()
    node.reload(text)


def test_an_unchanged_config_is_reloaded_too(cluster: Cluster) -> None:
    node = cluster.master()
    before = node.log()
    report = operate(node, "reload")
    assert report["code"] == 0, report
    assert report["diff"] == ""
    assert any(t.startswith("nothing changed") for t in graded(report, "NOTE"))
    assert poll(lambda: "Reload complete" in node.log()[len(before) :], 10, "the reload in the log")
    assert cluster.master() is node


def test_a_password_is_never_shown(cluster: Cluster) -> None:
    """The diff, keepalived's own messages and the journal hide it."""
    node = cluster.master()
    text = node.conf_path.read_text()
    secret = "s3cr3tpw"  # noqa: S105 - made up for the test
    block = f"authentication {{\n auth_type PASS\n auth_pass {secret}\n oops {secret}\n}}"
    node.write_conf(text.replace("track_interface", f"{block}\n  track_interface"))
    report = operate(node, "reload")
    assert report["code"] == 0, report
    assert "Unknown keyword 'oops'" in " ".join(graded(report, "WARNING"))
    assert "auth_pass ********" in report["diff"]
    journal = (node.folder / "state" / "journal.jsonl").read_text()
    assert secret not in json.dumps(report) + journal
    node.reload(text)


@pytest.mark.debian13
def test_warnings_that_the_running_config_has_too_are_only_notes(cluster: Cluster) -> None:
    node = cluster.master()
    text = node.conf_path.read_text()
    old = text.replace("advert_int", "frobnicate 1\n  advert_int")
    node.reload(old)
    node.write_conf(old.replace("frobnicate 1", "frobnicate 1\n  frobnicate2 1"))
    report = operate(node, "reload", dry_run=True)
    assert [t for t in graded(report, "WARNING") if "'frobnicate2'" in t]
    assert not [t for t in graded(report, "WARNING") if "'frobnicate'" in t]
    assert [t for t in graded(report, "NOTE") if "'frobnicate'" in t]
    node.reload(text)


def test_the_preflight_waits_for_a_half_written_file(cluster: Cluster) -> None:
    """The controller truncates the file, then writes it: text from between is not the config."""
    node = cluster.master()
    text = node.conf_path.read_text()
    changed = text.replace("advert_int 0.25", "advert_int 2")
    script = (
        "import sys,time; p,t=sys.argv[1:]; f=open(p,'w'); deadline=time.monotonic()+1.2\n"
        "print('truncated', flush=True)\n"
        "while time.monotonic()<deadline: f.write('#\\n'); f.flush(); time.sleep(0.1)\n"
        "f.seek(0); f.truncate(); f.write(t); f.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(node.conf_path), changed], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "truncated\n"
        keepalived = choose(find(), node.keepalived_pid)
        assert keepalived is not None
        found = run_preflight(keepalived, timeout=20)
    assert found.conf is not None
    assert [i.advert_interval for i in found.conf.instances] == [2.0]
    assert found.waited > 0
    node.write_conf(text)
