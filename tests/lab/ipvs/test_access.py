"""Missing permissions, the namespace that is read, and descriptors that a reader closes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.ipvs.writer import set_weight
from kvtui.backend.linux.sysctls import read_sysctls
from kvtui.model.ipvs import Protocol
from tests.ipvs.ipvsadm import ipvsadm
from tests.lab.ipvs.tables import NETNS, command, namespace, read
from tests.lab.poll import poll

PROJECT = Path(__file__).parents[3]


def without_capabilities(code: str, *, inside: bool) -> str:
    enter = ["ip", "netns", "exec", NETNS] if inside else []
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    argv = [*enter, *drop, sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("inside", "cause"),
    [(True, "netlink needs CAP_NET_ADMIN"), (False, "CAP_SYS_")],
    ids=["in the namespace", "from another namespace"],
)
def test_without_capabilities_procfs_is_read_and_the_detail_names_what_is_missing(
    rules: int, inside: bool, cause: str
) -> None:
    code = f"""
import json
from kvtui.backend.ipvs.reader import IpvsReader
with IpvsReader({None if inside else rules}) as reader:
    table = reader.read()
    print(json.dumps([reader.detail, table.complete, len(table.virtual_servers),
        [[r.weight, r.persistent, r.stats] for v in table.virtual_servers for r in v.real_servers if v.port == 443]]))
"""
    detail, complete, count, reals = json.loads(without_capabilities(code, inside=inside))
    assert detail.startswith("Traffic counters, thresholds and persistent connections cannot be read: ")
    assert cause in detail
    assert (complete, count) == (False, 10)
    assert sorted(reals) == [[1, None, None], [4, None, None]]


@pytest.mark.usefixtures("rules")
def test_without_capabilities_setting_a_weight_fails_with_the_remedy() -> None:
    before = ipvsadm(NETNS, "-Sn")
    code = """
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.writer import set_weight
from kvtui.model.ipvs import Protocol
try:
    set_weight(None, (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.1", 8080), 0)
except IpvsError as error:
    print(error)
"""
    assert without_capabilities(code, inside=True) == (
        "The weight of 10.1.0.1:8080 of TCP 10.0.0.1:80 cannot be set: netlink needs CAP_NET_ADMIN: "
        "run kvtui as root, or give its container NET_ADMIN.\n"
    )
    assert ipvsadm(NETNS, "-Sn") == before


def test_a_process_that_ended_is_named() -> None:
    with namespace("kvtui-ipvs-3") as pid:
        reader = IpvsReader(pid)
        reader.read()
    with reader, pytest.raises(IpvsError, match=f"Process {pid}, .* has ended"):
        reader.read()


def open_descriptors() -> list[str]:
    """Returns the sockets, namespaces and /proc files that this process has open."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder itself
            found.append(str(fd.readlink()))
    return sorted(name for name in found if name.startswith(("socket:", "net:", "/proc")))


def test_a_zombie_is_named() -> None:
    process = subprocess.Popen(["sleep", "1000"])
    with IpvsReader(process.pid) as reader:
        assert reader.read().complete
        process.kill()
        poll(lambda: " Z " in Path(f"/proc/{process.pid}/stat").read_text(), 10, "a zombie")
        with pytest.raises(IpvsError, match=f"Process {process.pid}, .* has ended"):
            reader.read()
    process.wait()


def test_a_reloaded_module_has_another_number_and_is_found_again(rules: int) -> None:
    with IpvsReader(rules) as reader:
        whole = reader.read()
        assert reader.channel is not None
        stale = reader.channel
        stale.family += 500  # as after `modprobe -r ip_vs; modprobe ip_vs`
        assert reader.read().virtual_servers == whole.virtual_servers
        assert reader.channel is not stale


def test_a_reader_leaves_nothing_open(rules: int) -> None:
    before = open_descriptors()
    reader = IpvsReader(rules)
    reader.read()
    assert len(open_descriptors()) == len(before) + 1
    reader.connections(10)
    reader.close()
    read_sysctls(rules)
    set_weight(rules, (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.1", 8080), 5)
    assert open_descriptors() == before


def test_the_process_stays_in_its_own_namespace(rules: int) -> None:
    before = Path("/proc/self/ns/net").readlink()
    read(rules)
    read_sysctls(rules)

    def namespaces() -> set[Path]:
        found = set()
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the thread ended
                found.add((task / "ns/net").readlink())
        return found

    poll(lambda: namespaces() == {before}, 10, lambda: f"the end of the thread in the other namespace: {namespaces()}")


def test_sysctls_are_those_of_the_process_s_namespace(pid: int) -> None:
    folder = "/proc/sys/net/ipv4/vs"
    for name, value in (("conntrack", 1), ("expire_nodest_conn", 1), ("conn_reuse_mode", 2)):
        command("ip", "netns", "exec", NETNS, "sh", "-c", f"echo {value} >{folder}/{name}")
    assert read_sysctls(pid) == {
        "net.ipv4.vs.conntrack": 1,
        "net.ipv4.vs.expire_nodest_conn": 1,
        "net.ipv4.vs.expire_quiescent_template": 0,
        "net.ipv4.vs.conn_reuse_mode": 2,
    }
    ours = {f"net.ipv4.vs.{n}": int(Path(folder, n).read_text()) for n in ("conntrack", "expire_nodest_conn")}
    assert read_sysctls() | ours == read_sysctls()
    assert read_sysctls()["net.ipv4.vs.conntrack"] == 0
