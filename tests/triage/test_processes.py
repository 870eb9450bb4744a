"""Findings about keepalived's processes, its version, and old data."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kvtui.model.finding import Severity
from kvtui.model.keepalived import Children, PidFile
from kvtui.model.source import Source, SourceName, SourceState
from tests.kit import NOW, VIP, conf_real, keepalived, sources
from tests.triage.case import backup, conf, only, suspected


def test_keepalived_does_not_run() -> None:
    found = only(backup(chosen=None, keepalived=(), conf=None, running=None, instances=None))

    assert (found.id, found.severity, found.object) == ("keepalived-not-running", Severity.CRITICAL, "node-a")


def test_processes_that_were_not_read_yet_are_not_absent() -> None:
    late = Source(SourceName.KEEPALIVED, SourceState.UNAVAILABLE, "late: 2 s; the processes do not answer")
    unread = (late, *(s for s in sources() if s.name is not SourceName.KEEPALIVED))
    gone = backup(chosen=None, keepalived=(), conf=None, running=None, instances=None, sources=unread)
    assert suspected(gone) == {}


def second(**changes: Any) -> Any:
    return backup(keepalived=(keepalived(), keepalived(pid=900, started=NOW - 60, mntns=7, **changes)))


def test_two_keepalived_in_one_network() -> None:
    found = only(second())

    assert (found.id, found.severity) == ("two-keepalived", Severity.CRITICAL)
    assert found.title == "2 keepalived run in this network namespace: PID 820, 900"
    assert found.remedy.startswith("ps -o pid,ppid,etime,args -p 820,")


@pytest.mark.parametrize(
    "other",
    [
        {"netns": 99},
        {"children": Children(vrrp=None, checker=901), "netns": 99},
        {"mntns": 4026532000, "conf": "/etc/keepalived/other.conf"},
    ],
    ids=["another network", "another network, checkers only", "two configs side by side"],
)
def test_two_that_are_configured_as_two(other: dict[str, Any]) -> None:
    changed = replace(keepalived(pid=900, mntns=7), **other)

    assert suspected(backup(keepalived=(keepalived(), changed))) == {}


@pytest.mark.parametrize(
    ("children", "word"),
    [(Children(checker=821), "VRRP"), (Children(vrrp=822), "checker")],
)
def test_a_child_is_missing(children: Children, word: str) -> None:
    found = only(backup(keepalived=(keepalived(children=children),)))

    assert (found.id, found.severity, found.object) == ("keepalived-child-missing", Severity.CRITICAL, f"{word} child")
    assert found.vips == (VIP,)


def test_a_child_that_is_not_configured() -> None:
    vrrp_only = keepalived(children=Children(vrrp=822), argv=("keepalived", "--dont-fork", "--vrrp"))

    assert suspected(backup(keepalived=(vrrp_only,))) == {}


def test_a_stale_pid_file() -> None:
    files = (PidFile("/run/keepalived.pid", 1, stale=False), PidFile("/run/vrrp.pid", 4711, stale=True))
    found = only(backup(keepalived=(keepalived(pid_files=files),)))

    assert (found.id, found.severity) == ("stale-pid-file", Severity.WARNING)
    assert found.remedy == "rm /proc/820/root/run/vrrp.pid"


@pytest.mark.parametrize(
    ("version", "is_reported"),
    [("2.1.5", True), ("2.1.6", False), ("2.2.7", False), ("2.0.20", False), (None, False), ("unknown", False)],
)
def test_weight_0_of_2_1(version: str | None, is_reported: bool) -> None:
    base = conf(server={"persistence_timeout": None})
    reals = (conf_real(5), conf_real(6, weight=0))
    zero = replace(base, virtual_servers=(replace(base.virtual_servers[0], real_servers=reals),))
    found = suspected(backup(conf=zero, running=zero, keepalived=(keepalived(version=version),)))

    assert ("version-fault" in found) is is_reported


def test_a_version_with_a_bug_that_does_not_apply() -> None:
    assert suspected(backup(keepalived=(keepalived(version="2.1.5"),))) == {}


def test_persistence_of_2_0_20() -> None:
    found = only(backup(keepalived=(keepalived(version="2.0.20"),)))

    assert (found.id, found.severity) == ("version-fault", Severity.WARNING)
    assert found.title == "keepalived 2.0.20 does not apply a changed persistence_timeout at a reload"
    assert found.evidence[2] == "reference: acassen/keepalived#1542"


def test_unicast_checksums_before_1_3_6() -> None:
    base = conf(server={"persistence_timeout": None}, globals={"vrrp_version": "3"})
    peers = replace(base, instances=(replace(base.instances[0], unicast_peers=("10.4.0.5",)),))
    found = suspected(backup(conf=peers, running=peers, keepalived=(keepalived(version="1.2.24"),)))

    assert found["version-fault"].object == "keepalived 1.2.24: v3 checksum"


def aged(name: SourceName, seconds: float) -> Any:
    others = tuple(s for s in sources() if s.name is not name)
    return backup(sources=(*others, Source(name, SourceState.OK, "", NOW - seconds)))


@pytest.mark.parametrize(
    ("name", "seconds"), [(SourceName.VRRP, 121.0), (SourceName.IPVS, 31.0), (SourceName.CONF, 31.0)]
)
def test_data_of_a_source_is_old(name: SourceName, seconds: float) -> None:
    found = only(aged(name, seconds))

    assert (found.id, found.severity, found.object) == ("source-stale", Severity.WARNING, name.value)
    assert suspected(aged(name, seconds - 2)) == {}


def test_the_clock_was_set_back() -> None:
    found = only(aged(SourceName.CONF, -90.0))

    assert (found.id, found.severity) == ("clock-set-back", Severity.INFO)
