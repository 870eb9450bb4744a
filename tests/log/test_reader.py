"""LogReader finds keepalived's log and reports why it cannot read it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.keepalived.log.reader import RETRY_SECONDS, LogReader
from kvtui.model.keepalived import Children, Controller, Keepalived
from tests.processes.machine import HOST_MNT, POD_MNT, Machine

if TYPE_CHECKING:
    from pathlib import Path

PID = 796
CONSOLE = ("keepalived", "--dont-fork", "--log-console", "--log-detail")
POD = "default/kube-keepalived-vip-x7k2p"
UID = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
IDENTITY = "c0ffee" + 58 * "0"
CGROUP = f"0::/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{IDENTITY}.scope\n"
LINE = "2026-11-24T18:26:07Z stderr F Tue Nov 24 18:26:07 2026: (vips) Entering MASTER STATE\n"


@dataclass
class Host:
    """A machine with its own root and a keepalived in a pod."""

    folder: Path
    now: float = 1_800_000_000.0
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.machine = Machine(self.folder)
        self.inside = self.machine.pod(PID)

    @property
    def root(self) -> Path:
        """The machine's root."""
        return self.machine.root

    def output(self, target: str, number: int = 2, pid: int = PID) -> None:
        """Sets the target of a file descriptor of keepalived."""
        (self.machine.folder / str(pid) / "fd" / str(number)).symlink_to(target)

    def cgroup(self, text: str = CGROUP) -> None:
        (self.machine.folder / str(PID) / "cgroup").write_text(text)

    def write(self, path: str, text: str) -> Path:
        """Writes a file of the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def reader(self, argv: tuple[str, ...] = CONSOLE, pod: str | None = None) -> LogReader:
        controller = Controller(700, "kube-keepalived-vip", (), pod=pod) if pod else None
        keepalived = Keepalived(
            pid=PID,
            ns_pid=1,
            argv=argv,
            version="2.2.7",
            conf="/etc/keepalived/keepalived.conf",
            root=str(self.inside),
            netns=1,
            mntns=2,
            own_netns=True,
            children=Children(vrrp=PID + 8, checker=PID + 7),
            started=0.0,
            controller=controller,
        )
        return LogReader(keepalived, proc=self.machine.proc, root=str(self.root), clock=lambda: self.now)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def texts(reader: LogReader) -> list[str]:
    return [line.text for line in reader.read().lines]


def test_standard_error_in_a_file(host: Host, tmp_path: Path) -> None:
    log = tmp_path / "keepalived.log"
    log.write_text("Tue Nov 24 18:26:07 2026: Starting Keepalived\n")
    host.output(str(log))
    reader = host.reader()
    tail = reader.read()
    assert (tail.where, tail.error, [line.text for line in tail.lines]) == (str(log), "", ["Starting Keepalived"])
    with log.open("a") as file:
        file.write("(vips) Entering MASTER STATE\n")
    assert texts(reader) == ["Starting Keepalived", "(vips) Entering MASTER STATE"]
    assert texts(reader) == ["Starting Keepalived", "(vips) Entering MASTER STATE"]


def test_the_log_of_a_pod_is_found_by_its_container(host: Host) -> None:
    host.output("pipe:[4711]")
    host.cgroup()
    real = host.write(f"/var/log/pods/default_kube-keepalived-vip-x7k2p_{UID}/vip/0.log", LINE)
    link = host.write(f"/var/log/containers/kube-keepalived-vip-x7k2p_default_vip-{IDENTITY}.log", "")
    link.unlink()
    link.symlink_to(f"/{real.relative_to(host.root)}")  # absolute, as the kubelet's links are
    tail = host.reader().read()
    assert (tail.where, tail.error) == (f"log of pod {POD}", "")
    assert [line.text for line in tail.lines] == ["(vips) Entering MASTER STATE"]


def test_the_log_of_a_pods_newest_container_is_found_by_the_uid(host: Host) -> None:
    host.output("pipe:[4711]")
    host.cgroup(f"0::/kubepods/besteffort/pod{UID}/short\n")
    host.write(f"/var/log/pods/default_kube-keepalived-vip-x7k2p_{UID}/vip/1.log", LINE)
    tail = host.reader().read()
    assert (tail.where, len(tail.lines)) == (f"log of pod {POD}", 1)


def test_the_log_on_the_host_is_read_through_the_root_of_pid_1(host: Host, tmp_path: Path) -> None:
    """kvtui runs in a pod with hostPID; its own root has no log."""
    host.output("pipe:[4711]")
    link = host.machine.folder / "500" / "ns" / "mnt"
    link.unlink()
    link.symlink_to(f"mnt:[{POD_MNT}]")
    assert HOST_MNT != POD_MNT
    host_root = tmp_path / "host"
    log = host_root / "var/log/pods" / f"{POD.replace('/', '_')}_{UID}" / "vip" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_text(LINE)
    init = host.machine.folder / "1" / "root"
    init.unlink()
    init.symlink_to(host_root)
    assert texts(host.reader(pod=POD)) == ["(vips) Entering MASTER STATE"]


def test_an_unreachable_pod_log_is_reported_with_the_command_to_read_it(host: Host) -> None:
    host.output("pipe:[4711]")
    error = host.reader(pod=POD).read().error
    assert "kubectl logs -n default kube-keepalived-vip-x7k2p" in error
    host.cgroup(f"0::/system.slice/docker-{IDENTITY}.scope\n")
    assert f"crictl logs {IDENTITY[:13]}" in host.reader().read().error


def test_the_search_for_the_log_is_repeated_later(host: Host) -> None:
    host.output("pipe:[4711]")
    reader = host.reader(pod=POD)
    assert reader.read().error
    host.write(f"/var/log/pods/{POD.replace('/', '_')}_{UID}/vip/0.log", LINE)
    assert reader.read().lines == ()
    host.now += RETRY_SECONDS
    assert texts(reader) == ["(vips) Entering MASTER STATE"]


def test_lines_stay_when_keepalived_ends(host: Host, tmp_path: Path) -> None:
    log = tmp_path / "keepalived.log"
    log.write_text("Stopped\n")
    host.output(str(log))
    reader = host.reader()
    assert texts(reader) == ["Stopped"]
    log.unlink()
    tail = reader.read()
    assert [line.text for line in tail.lines] == ["Stopped"]
    assert f"{log} can no longer be read" in tail.error


def test_only_keepalived_lines_of_syslog_are_read(host: Host) -> None:
    host.output("/dev/null")
    lines = [
        "Nov 24 18:26:07 n cron[1]: (Keepalived) x",
        "Nov 24 18:26:08 n Keepalived_vrrp[12]: (vips) Entering MASTER STATE",
        "Nov 24 18:26:09 n Keepalived[3]: Stopping",
    ]
    host.write("/var/log/syslog", "\n".join([*lines, ""]))
    tail = host.reader(("keepalived",)).read()
    assert tail.where == "/var/log/syslog"
    assert [line.text for line in tail.lines] == [
        "Keepalived_vrrp[12]: (vips) Entering MASTER STATE",
        "Keepalived[3]: Stopping",
    ]


def test_syslog_without_a_listener_is_reported(host: Host) -> None:
    assert "nothing listens on its /dev/log" in host.reader(("keepalived", "-n")).read().error
    (host.inside / "dev").mkdir()
    (host.inside / "dev" / "log").write_text("")
    assert "journalctl -t Keepalived_vrrp" in host.reader(("keepalived", "-n")).read().error


def test_unknown_output_a_terminal_and_no_log_are_reported(host: Host) -> None:
    argv = (*CONSOLE, "--no-syslog")
    assert "run kvtui as root" in host.reader(argv).read().error
    host.output("/dev/pts/3")
    assert host.reader(argv).read().error == ("keepalived logs to the terminal /dev/pts/3, which kvtui cannot read")
    assert "writes no log" in host.reader(("keepalived", "-G")).read().error


def test_a_log_file_is_found_among_open_files(host: Host, tmp_path: Path) -> None:
    log = tmp_path / "keepalived_vrrp.log"
    log.write_text("(vips) Entering FAULT STATE\n")
    host.output(str(log), number=9, pid=PID + 8)
    assert texts(host.reader(("keepalived", "-g", "-G"))) == ["(vips) Entering FAULT STATE"]


JOURNALCTL = """#!/bin/sh
echo "$@" >> {folder}/calls
case "$*" in
  *--after-cursor=c2*) exit 0;;
  *) cat {folder}/entries;;
esac
"""


def test_the_systemd_journal_is_read_by_unit_and_each_line_once(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(JOURNALCTL.format(folder=tmp_path))
    program.chmod(0o755)
    entries = [
        {"__CURSOR": "c1", "__REALTIME_TIMESTAMP": "1700000000500000", "SYSLOG_IDENTIFIER": "Keepalived_vrrp",
         "MESSAGE": "(vips) Entering MASTER STATE"},
        {"__CURSOR": "c2", "__REALTIME_TIMESTAMP": "1700000001000000", "MESSAGE": [104, 105, 255]},
    ]  # fmt: skip
    (tmp_path / "entries").write_text("\n".join(json.dumps(e) for e in entries) + "\n-- no entry --\n")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    host.write("/var/log/journal/1f2e/system.journal", "")
    host.output("socket:[99]")
    host.cgroup("0::/system.slice/keepalived.service\n")
    reader = host.reader()
    tail = reader.read()
    assert tail.where == "systemd's journal, keepalived.service"
    assert [(line.at, line.text) for line in tail.lines] == [
        (1_700_000_000.5, "Keepalived_vrrp: (vips) Entering MASTER STATE"),
        (1_700_000_001.0, "keepalived: hi\N{REPLACEMENT CHARACTER}"),
    ]
    assert reader.read().lines == tail.lines
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "--after-cursor" not in calls[0]
    assert calls[0].endswith("_SYSTEMD_UNIT=keepalived.service")
    assert "--after-cursor=c2" in calls[-1]


def test_passwords_of_the_config_are_not_repeated(host: Host, tmp_path: Path) -> None:
    conf = host.inside / "etc/keepalived/keepalived.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("vrrp_instance vips {\n authentication {\n auth_type PASS\n auth_pass hunter22\n }\n}\n")
    log = tmp_path / "keepalived.log"
    log.write_text("Tue Nov 24 18:26:07 2026: (Line 4) Unknown keyword 'hunter22'\n")
    host.output(str(log))
    assert texts(host.reader()) == ["(Line 4) Unknown keyword '********'"]
