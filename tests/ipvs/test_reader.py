from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.ipvs import reader
from kvtui.backend.ipvs.errors import IpvsError, MalformedMessageError
from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.ipvs.writer import set_weight
from kvtui.model.ipvs import ForwardingMethod, Protocol

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A040032:0050 wlc  \n\
  -> 0A04000B:0050      Route   1      2          7         \n\
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with kvtui's own process and without ip_vs."""
    (tmp_path / "self" / "net").mkdir(parents=True)
    (tmp_path / "820" / "net").mkdir(parents=True)
    return tmp_path


def no_netlink(_pid: int | None) -> None:
    pytest.fail("kvtui opened netlink, which can load the module")


def test_without_the_module_the_error_names_the_cause_and_the_remedy(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "open_channel", no_netlink)
    with pytest.raises(IpvsError) as raised:
        IpvsReader(proc=proc).read()
    assert str(raised.value) == (
        f"ip_vs is not loaded in this kernel: {proc}/self/net/ip_vs does not exist. Run `modprobe ip_vs` on the node."
    )
    with pytest.raises(IpvsError, match="modprobe ip_vs"):
        IpvsReader(820, proc=proc).connections(10)
    with pytest.raises(IpvsError, match="modprobe ip_vs"):
        set_weight(820, (Protocol.TCP, "10.4.0.50", 80, 0), ("10.4.0.11", 80), 0, proc=proc)


def test_a_process_that_has_ended_is_not_a_missing_module(proc: Path) -> None:
    with pytest.raises(IpvsError, match="Process 999, whose IPVS table kvtui reads, has ended"):
        IpvsReader(999, proc=proc).read()


def test_a_zombie_is_not_a_missing_module(proc: Path) -> None:
    (proc / "self" / "net" / "ip_vs").write_text(TABLE)
    with pytest.raises(IpvsError, match="Process 820, whose IPVS table kvtui reads, has ended"):
        IpvsReader(820, proc=proc).read()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            PermissionError(1, "netlink needs CAP_NET_ADMIN: run kvtui as root"),
            "netlink needs CAP_NET_ADMIN: run kvtui as root",
        ),
        (MalformedMessageError("a message without WEIGHT"), "netlink answer (a message without WEIGHT)"),
    ],
)
def test_without_netlink_procfs_is_read_and_the_detail_names_what_is_missing(
    proc: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    def refuse(_pid: int | None) -> None:
        raise error

    monkeypatch.setattr(reader, "open_channel", refuse)
    (proc / "820" / "net" / "ip_vs").write_text(TABLE)
    with IpvsReader(820, proc=proc) as opened:
        table = opened.read()
        assert cause in opened.detail
        assert opened.detail.startswith("Traffic counters, thresholds and persistent connections cannot be read: ")
        assert opened.detail.endswith(f"Weights and connections come from {proc}/820/net/ip_vs instead.")
    assert not table.complete
    (virtual,) = table.virtual_servers
    (real,) = virtual.real_servers
    assert virtual.key == (Protocol.TCP, "10.4.0.50", 80, 0)
    assert (real.key, real.method, real.weight, real.active, real.inactive) == (
        ("10.4.0.11", 80),
        ForwardingMethod.DIRECT,
        1,
        2,
        7,
    )
    assert (real.stats, real.persistent, real.upper_threshold, real.lower_threshold) == (None, None, None, None)


def test_an_unknown_line_of_the_table_is_an_error(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int | None) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(reader, "open_channel", refuse)
    (proc / "820" / "net" / "ip_vs").write_text(TABLE + "TCP nonsense\n")
    with pytest.raises(IpvsError, match="has the line 'TCP nonsense'"):
        IpvsReader(820, proc=proc).read()


@pytest.mark.parametrize("weight", [-1, 65536])
def test_a_weight_out_of_range_is_refused_before_any_request(proc: Path, weight: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 65535, not {weight}"):
        set_weight(820, (Protocol.TCP, "10.4.0.50", 80, 0), ("10.4.0.11", 80), weight, proc=proc)


def test_imports_load_no_heavy_library() -> None:
    code = (
        "import sys, kvtui.backend.ipvs.reader, kvtui.backend.ipvs.writer, kvtui.backend.linux.sysctls\n"
        "print([m for m in ('pyroute2', 'psutil', 'textual', 'asyncio', 'ctypes', 'subprocess') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "[]"
