"""strace shows that `--read-only` and `--dry-run` change nothing: no file, no signal, only netlink queries."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from tests.lab.trace import Trace, netlink_messages, strace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

DRAINED, OTHER = "10.4.0.12", "10.4.0.11"
ACTIONS = {
    "reload": ["reload"],
    "drain": ["drain", OTHER, "--over", "60s", "--fix-persistence"],
    "undrain": ["undrain", DRAINED],
    "priority": ["priority", "vips", "110"],
    "failover": ["failover", "vips", "--force"],
    "undo": ["undo"],
}
SOME = ("reload", "drain")
"""--read-only makes the same plans as --dry-run, so an action with a signal and one with a kernel write are enough."""
TESTED = ("reload", "priority", "failover")  # their plans run `keepalived -t`


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run_traced(node: Node, state: Path, *words: str) -> tuple[int, str, Trace]:
    """Runs kvtui under strace. Returns exit status, output and trace."""
    trace = state.with_name("trace")
    argv = ["env", f"KVTUI_STATE_DIR={state}", *strace(str(trace)), sys.executable, "-m", "kvtui", *words]
    ran = node.exec(argv, timeout=600)
    return ran.returncode, ran.stdout + ran.stderr, Trace.of(trace.read_text())


def drained_node(cluster: Cluster, state: Path) -> Node:
    """Drains a server, so that there is an action to undo, and removes old dumps. Returns the node."""
    node = cluster.master()
    argv = ["env", f"KVTUI_STATE_DIR={state}", sys.executable, "-m", "kvtui", "--yes", "drain", DRAINED]
    node.exec(argv, check=True, timeout=600)
    for dump in (node.folder / "tmp").iterdir():
        dump.unlink()
    return node


def node_state(node: Node, state: Path) -> list[object]:
    """Returns all state that an action could have changed."""
    files = sorted(path for folder in (node.folder / "etc", node.folder / "tmp", state) for path in folder.rglob("*"))
    log = node.log()
    return [
        [(path, path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files if path.is_file()],
        (node.keepalived_pid, node.addresses(), node.ipvs(), log.count("eload"), log.count("Printing")),
        sorted((entry.id, entry.result) for entry in Journal(state).entries()),
    ]


@pytest.mark.lab(timeout=600)
@pytest.mark.parametrize(
    ("option", "status", "names", "views"),
    [
        ("--dry-run", 0, tuple(ACTIONS), ()),
        ("--read-only", 3, SOME, ("status",)),
        pytest.param(
            "--read-only", 3, tuple(a for a in ACTIONS if a not in SOME), ("journal",), marks=pytest.mark.long
        ),
    ],
    ids=["dry run", "read only", "read only, the others"],
)
def test_no_write_no_signal_no_netlink_change(
    cluster: Cluster, state: Path, option: str, status: int, names: tuple[str, ...], views: tuple[str, ...]
) -> None:
    node = drained_node(cluster, state)
    before = node_state(node, state)
    for name in names:
        code, printed, trace = run_traced(node, state, option, *ACTIONS[name])
        assert trace.changes == [], "\n".join([name, printed, *trace.changes])
        assert code == status, f"{name}\n{printed}"
        assert trace.calls > 300
        assert (": everything was done\n" if name == "undo" else "Steps:\n") in printed
        ran, *tests = trace.programs
        assert '"kvtui"' in ran
        tests = [test for test in tests if '"-I", "-S", "-c"' not in test]  # the launcher, before its execve
        assert all('"/usr/sbin/keepalived", "-t"' in test for test in tests), tests
        assert bool(tests) is (name in TESTED)
    for view in views:
        code, printed, trace = run_traced(node, state, option, view)
        assert (code, trace.changes) == (0, []), "\n".join([view, printed, *trace.changes])
    assert node_state(node, state) == before


def test_the_changes_of_an_action_are_found(cluster: Cluster, state: Path) -> None:
    """Shows that the trace finds changes when there are some."""
    node = cluster.master()
    code, printed, trace = run_traced(node, state, "--yes", "drain", OTHER)
    assert code == 0, printed
    calls = {change.partition("(")[0] for change in trace.changes}
    assert {"mkdirat", "openat", "write", "fsync", "pidfd_send_signal", "sendto"} <= calls
    sent = [netlink_messages(change) for change in trace.changes if change.startswith("sendto")]
    assert sent == [[("IPVS", 6)]], "\n".join(trace.changes)  # IPVS_CMD_SET_DEST


HARMLESS = """\
1 openat(AT_FDCWD</>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>
1 openat(AT_FDCWD</>, "/dev/null", O_RDWR|O_CLOEXEC) = 3</dev/null>
1 kill(17, 0) = 0
1 tgkill(17, 18, 0) = 0
1 write(1<pipe:[7]>, "x", 1) = 1
1 fchmod(3</memfd:kvtui-config-test>(deleted), 0400) = 0
1 socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0,  <unfinished ...>
2 write(1<pipe:[7]>, "x", 1) = 1
1 <... socketpair resumed>[4<socket:[9]>, 5<socket:[10]>]) = 0
1 sendto(5<socket:[10]>, "\\x00", 1, 0, NULL, 0 <unfinished ...>
1 sendto(6<socket:[11]>, [{nlmsg_len=40, nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP}, 40, 0) = 40
1 socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 6<socket:[16]>
1 sendto(7<socket:[16]>, [{nlmsg_len=40, nlmsg_type=0x12 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST|0x300}, 40) = 40
1 setsockopt(6<socket:[16]>, SOL_SOCKET, SO_SNDBUF, [1048576], 4) = 0
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=IPVS, nlmsg_flags=NLM_F_REQUEST|0x300}, "\\x04\\x01"], 20) = 20
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=nlctrl, nlmsg_seq=1}, {cmd=CTRL_CMD_GETFAMILY, version=1}]) = 20
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=IPVS, nlmsg_seq=2}, {cmd=0x4, version=1}], 20) = 20
1 sendmsg(3<socket:[13]>, {msg_iov=[{iov_base=[{nlmsg_len=20, nlmsg_type=IPVS}, {cmd=0xf, version=1}]}]}, 0) = 20
1 ioctl(7<socket:[15]>, SIOCGIFFLAGS, {ifr_name="eth0", ifr_flags=IFF_UP}) = 0
2 ioctl(8<socket:[17]>, SIOCGIFMTU, {ifr_name="lo", ifr_mtu=65536}) = 0
1 ioctl(7<socket:[15]>, SIOCETHTOOL, 0x7fff06e138f0) = -1 EOPNOTSUPP (Operation not supported)
"""
CHANGES = """\
1 openat(AT_FDCWD</>, "/etc/hosts", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</etc/hosts>
1 openat(AT_FDCWD</>, "/proc/sys/net/ipv4/vs/expire_quiescent_template", O_RDWR) = -1 EACCES (Permission denied)
1 kill(17, SIGHUP) = 0
1 tgkill(17, 18, SIGHUP) = 0
1 pidfd_send_signal(11<anon_inode:[pidfd]>, SIGUSR1, NULL, 0) = 0
1 write(3</var/lib/kvtui/journal.jsonl>, "x", 1) = 1
1 fchmod(3</etc/hosts>, 0400) = 0
1 rename("/a", "/b") = 0
1 sendto(6<socket:[11]>, [{nlmsg_len=40, nlmsg_type=RTM_DELADDR, nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK}, 40, 0) = 40
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=IPVS, nlmsg_flags=NLM_F_REQUEST}, "\\x06\\x01"], 20) = 20
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=IPVS, nlmsg_flags=NLM_F_REQUEST}, {cmd=0x6, version=1}], 20) = 20
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=IPVS}, {cmd=0x4}, {nlmsg_len=20, nlmsg_type=IPVS}, {cmd=0x7}]) = 40
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=nlctrl}, {cmd=CTRL_CMD_UNKNOWN, version=1}], 20) = 20
1 sendto(6<socket:[12]>, [{nlmsg_len=20, nlmsg_type=0x1f}, {cmd=0x4, version=1}], 20) = 20
1 sendto(6<socket:[16]>, [{nlmsg_len=20, nlmsg_type=0x12 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST}, 20) = 20
1 sendto(7<socket:[13]>, "\\x31", 1, 0, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("10.4.0.4")}, 16) = 1
1 connect(7<socket:[14]>, {sa_family=AF_UNIX, sun_path="/dev/log"}, 110) = 0
1 setsockopt(7<socket:[15]>, SOL_IP, 0x481 /* IP_??? */, "x", 1) = 0
1 ioctl(7<socket:[15]>, SIOCSIFFLAGS, {ifr_name="eth0"}) = 0
1 ioctl(7<socket:[15]>, SIOCETHTOOL, 0x7fff06e138f0) = 0
"""


ROUTE = "1 socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 6<socket:[16]>\n"
ROUTE_CHANGES = """\
1 sendto(6<socket:[16]>, [{nlmsg_len=40, nlmsg_type=0x10 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST}, 40) = 40
1 sendto(6<socket:[16]>, [{nlmsg_len=40, nlmsg_type=0x15 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST}, 40) = 40
"""


def test_system_calls_are_classified() -> None:
    assert Trace.of(HARMLESS).changes == []
    assert Trace.of(ROUTE + ROUTE_CHANGES).changes == lines_of(ROUTE_CHANGES)
    assert Trace.of(CHANGES).changes == lines_of(CHANGES)


def lines_of(trace: str) -> list[str]:
    return [line.removeprefix("1 ") for line in trace.splitlines()]
