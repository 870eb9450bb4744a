"""kvtui's reading of the kernel's IPVS table beside ipvsadm's, column by column; and the one thing that it writes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.errors import IpvsError, NotInTableError, Reason
from kvtui.backend.ipvs.genl import GenericNetlink
from kvtui.backend.ipvs.incremental import IncrementalReader, ask_service
from kvtui.backend.ipvs.reader import IpvsReader, with_real_servers
from kvtui.backend.ipvs.writer import set_weight
from kvtui.backend.linux.namespaces import open_in_network
from kvtui.backend.linux.sysctls import read_sysctls
from kvtui.model.ipvs import Protocol
from tests.ipvs.ipvsadm import columns, ipvsadm, listed, rates, saved, traffic
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.ipvs import IpvsTable, ServiceKey, VirtualServer

NETNS = "kvtui-ipvs"
PROJECT = Path(__file__).parents[2]
# everything that ipvsadm 1.31 can set; the last name of each tunnel is its checksum
RULES = """\
-A -t 10.0.0.1:80 -s wlc
-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5 -x 1000 -y 500
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 0
-a -t 10.0.0.1:80 -r 10.1.0.3:80 -i -w 65535
-a -t 10.0.0.1:80 -r 10.1.0.4:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.0.0.1:80 -r 10.1.0.5:80 -i -w 2 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 10.0.0.1:80 -r 10.1.0.6:80 -i -w 2 --tun-type gre --tun-csum
-a -t 10.0.0.1:80 -r [fd01::7]:80 -i -w 3
-A -t 10.0.0.1:443 -s none
-A -u 10.0.0.1:53 -s rr -o
-a -u 10.0.0.1:53 -r 10.1.0.1:53 -m -w 1
-A -u 10.0.0.2:5060 -s rr -p 60 -M 255.255.255.0 --pe sip -o
-A -t 10.0.0.3:0 -s rr -p 300
-a -t 10.0.0.3:0 -r 10.1.0.1:0 -g -w 1
-A --sctp-service 10.0.0.1:99 -s mh -b mh-port
-a --sctp-service 10.0.0.1:99 -r 10.1.0.1:99 -m -w 1
-A -t [fd00::1]:443 -s sh -p 600 -M 64 -b sh-fallback,sh-port
-a -t [fd00::1]:443 -r [fd01::1]:8443 -m -w 1 -x 7 -y 3
-a -t [fd00::1]:443 -r [fd01::2]:443 -g -w 4
-A -f 7 -s lc
-a -f 7 -r 10.1.0.1:0 -m -w 1
-a -f 7 -r 10.1.0.2:0 -g -w 2
-A -f 8 -6 -s rr -p 50 -M 96
-a -f 8 -6 -r [fd01::1]:0 -m -w 1
-A -f 2147483647 -s rr
"""


def command(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def namespace(name: str) -> Iterator[int]:
    """A network namespace with a process in it, whose pid it gives."""
    command("ip", "netns", "add", name)
    command("ip", "-n", name, "link", "set", "lo", "up")
    process = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "1000"])
    inode = Path("/run/netns", name).stat().st_ino
    try:
        poll(lambda: Path(f"/proc/{process.pid}/ns/net").stat().st_ino == inode, 10, f"a process in {name}")
        yield process.pid
    finally:
        process.kill()
        process.wait()
        command("ip", "netns", "del", name)


@pytest.fixture(scope="module")
def lab_pid() -> Iterator[int]:
    with namespace(NETNS) as pid:
        yield pid


@pytest.fixture
def pid(lab_pid: int) -> int:
    """A process in a network namespace whose table is empty."""
    ipvsadm(NETNS, "-C")
    return lab_pid


@pytest.fixture
def rules(pid: int) -> int:
    """The same, with every kind of rule."""
    load(RULES)
    return pid


def load(text: str) -> None:
    ipvsadm(NETNS, "-R", text=text)


def read(pid: int) -> IpvsTable:
    with IpvsReader(pid) as reader:
        table = reader.read()
        assert reader.detail == ""
        return table


def lines(output: str) -> list[str]:
    return sorted(line.strip() for line in output.splitlines())


def real_servers(listing: dict[tuple[str, str], tuple[str, ...]]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {key: value for key, value in listing.items() if key[1]}


def virtual(table: IpvsTable, name: str) -> VirtualServer:
    return next(v for v in table.virtual_servers if v.name == name)


# --- the whole table


def test_every_rule_reads_back_as_ipvsadm_saves_it(rules: int) -> None:
    table = read(rules)
    assert table.complete
    assert saved(table) == lines(ipvsadm(NETNS, "-Sn"))
    assert len(table.virtual_servers) == 10


def test_listings_agree_in_every_column(rules: int) -> None:
    table = read(rules)
    plain = real_servers(columns(ipvsadm(NETNS, "-Ln")))
    assert listed(table, "method", "weight", "active", "inactive") == plain
    assert len(plain) == 15
    limits = real_servers(columns(ipvsadm(NETNS, "-Ln", "--thresholds")))
    assert listed(table, "upper_threshold", "lower_threshold", "active", "inactive") == limits
    assert limits["TCP 10.0.0.1:80", "10.1.0.1:8080"][:2] == ("1000", "500")
    persistent = real_servers(columns(ipvsadm(NETNS, "-Ln", "--persistent-conn")))
    assert listed(table, "weight", "persistent", "active", "inactive") == persistent


def test_a_fwmark_is_unsigned_whatever_ipvsadm_prints(pid: int) -> None:
    ipvsadm(NETNS, "-A", "-f", "4294967295", "-s", "rr")
    assert "-A -f -1 -s rr" in ipvsadm(NETNS, "-Sn")
    assert [v.key for v in read(pid).virtual_servers] == [(Protocol.FWMARK, "", 0, 4294967295)]


def test_an_empty_table_is_empty_and_complete(pid: int) -> None:
    table = read(pid)
    assert (table.virtual_servers, table.complete) == ((), True)


def test_a_reading_is_of_the_process_s_namespace_not_of_ours(rules: int) -> None:
    assert read(rules).virtual_servers
    with IpvsReader() as ours:
        assert ours.read().virtual_servers == ()
    with namespace("kvtui-ipvs-2") as other:
        ipvsadm("kvtui-ipvs-2", "-A", "-t", "10.7.0.1:7", "-s", "rr")
        assert [v.name for v in read(other).virtual_servers] == ["10.7.0.1:7"]


def test_one_reader_sees_every_change(rules: int) -> None:
    with IpvsReader(rules) as reader:
        before = reader.read()
        load("-e -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 6 -x 1000 -y 500\n")
        ipvsadm(NETNS, "-D", "-f", "7")
        after = reader.read()
        assert saved(after) == lines(ipvsadm(NETNS, "-Sn"))
    assert len(after.virtual_servers) == len(before.virtual_servers) - 1
    assert after.monotonic > before.monotonic


def test_procfs_has_the_same_as_far_as_it_goes(rules: int) -> None:
    """Families and persistence of fwmark services too, which procfs does not print; 2147483647 has neither."""
    full, text = read(rules), unprivileged(rules)
    wanted = sorted((less(v) for v in full.virtual_servers), key=repr)
    assert sorted(text, key=repr) == wanted


def less(v: VirtualServer) -> VirtualServer:
    """What procfs shows of it. Real servers sorted: netlink and procfs walk the same list in opposite directions."""
    reals = [
        replace(
            r,
            persistent=None,
            upper_threshold=None,
            lower_threshold=None,
            stats=None,
            tunnel_type=0,
            tunnel_port=0,
            tunnel_flags=0,
        )
        for r in v.real_servers
    ]
    flags = tuple(flag for flag in v.flags if flag in {"ops", "persistent"})
    reals.sort(key=lambda r: r.key)
    return replace(v, flags=flags, persistence_engine=None, stats=None, real_servers=tuple(reals))


def unprivileged(pid: int) -> list[VirtualServer]:
    """The table as procfs has it."""
    from kvtui.backend.ipvs import procfs  # noqa: PLC0415 - the one test that goes around the reader

    table = procfs.read_table(Path(f"/proc/{pid}/net"))
    assert not table.complete
    return [replace(v, real_servers=tuple(sorted(v.real_servers, key=lambda r: r.key))) for v in table.virtual_servers]


# --- large, truncated, changing


def big_rules(services: int, reals: int) -> str:
    text = []
    for s in range(services):
        vip = f"10.{20 + s // 250}.0.{s % 250 + 1}:80"
        text.append(f"-A -t {vip} -s wlc")
        text += [f"-a -t {vip} -r 10.{100 + r}.{s // 250}.{s % 250 + 1}:80 -g -w {r + 1}" for r in range(reals)]
    return "\n".join(text) + "\n"


def test_200_services_of_10_real_servers(pid: int) -> None:
    ipvsadm(NETNS, "-R", text=big_rules(200, 10))
    table = read(pid)
    assert len(table.virtual_servers) == 200
    assert sum(len(v.real_servers) for v in table.virtual_servers) == 2000
    assert saved(table) == lines(ipvsadm(NETNS, "-Sn"))
    # a kernel's datagram that does not fit is asked for again
    with IpvsReader(pid) as reader:
        reader.read()
        assert reader._channel is not None
        reader._channel._buffer = bytearray(1000)
        reader._channel._needed = 0
        assert reader.read().virtual_servers == table.virtual_servers
        assert len(reader._channel._buffer) > 1000


def test_a_table_that_changes_under_the_reader_is_never_read_half(pid: int) -> None:
    """A service comes and goes with its two real servers while a table of several datagrams is read."""
    ipvsadm(NETNS, "-R", text=big_rules(120, 2))
    churn = (
        "while :; do ipvsadm -A -t 10.9.9.9:80 -s rr; ipvsadm -a -t 10.9.9.9:80 -r 10.8.8.8:80 -m -w 9; "
        "ipvsadm -D -t 10.9.9.9:80; done"
    )
    shell = subprocess.Popen(["ip", "netns", "exec", NETNS, "sh", "-c", churn])
    seen: set[int] = set()
    try:
        with IpvsReader(pid) as reader:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and len(seen) < 2:
                try:
                    table = reader.read()
                except IpvsError as busy:
                    assert busy.reason is Reason.CHANGING  # noqa: PT017 - allowed, not expected
                    continue
                steady = [v for v in table.virtual_servers if v.address != "10.9.9.9"]
                assert len({v.key for v in steady}) == len(steady) == 120
                assert {len(v.real_servers) for v in steady} == {2}
                seen.add(len(table.virtual_servers) - 120)
    finally:
        shell.kill()
        shell.wait()
    assert seen == {0, 1}


def test_a_service_removed_between_the_two_dumps_is_not_shown_without_real_servers(
    rules: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump: Any = GenericNetlink.dump
    commands: list[int] = []

    def remove_in_between(channel: GenericNetlink, number: int, *rest: object) -> Any:
        got = dump(channel, number, *rest)
        commands.append(number)
        if commands == [uapi.CMD_GET_SERVICE]:
            ipvsadm(NETNS, "-D", "-t", "10.0.0.1:80")
        return got

    monkeypatch.setattr(GenericNetlink, "dump", remove_in_between)
    table = read(rules)
    assert commands.count(uapi.CMD_GET_SERVICE) == 2
    assert saved(table) == lines(ipvsadm(NETNS, "-Sn"))
    assert "10.0.0.1:80" not in [v.name for v in table.virtual_servers]


# --- traffic

SCRIPT = """
import json, socket, sys
SO_MARK = 36
def listen(family, address, port, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port)); kind == socket.SOCK_STREAM and s.listen(16); return s
def ask(family, address, port, server, mark=0, size=1000):
    c = socket.socket(family, socket.SOCK_STREAM); c.settimeout(20)
    mark and c.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    c.connect((address, port)); s, _ = server.accept()
    c.sendall(b"x" * size)
    while size: size -= len(s.recv(65536))
    s.sendall(b"y" * 3000); got = 0
    while got < 3000: got += len(c.recv(65536))
    return c, s
v4, v6 = socket.AF_INET, socket.AF_INET6
web = listen(v4, "10.9.0.1", 80); web6 = listen(v6, "fd09::1", 80); other = listen(v4, "10.9.0.2", 7777)
dns = listen(v4, "10.9.0.1", 53, socket.SOCK_DGRAM)
kept = [ask(v4, "10.0.0.1", 80, web) for _ in range(3)]
for pair in [ask(v4, "10.0.0.1", 80, web, size=5000) for _ in range(2)]:
    for end in pair: end.close()
kept += [ask(v6, "fd00::1", 80, web6, size=200000)]
kept += [ask(v4, "10.0.0.9", 7777, other, mark=7)]
c = socket.socket(v4, socket.SOCK_DGRAM)
for _ in range(4): c.sendto(b"z" * 100, ("10.0.0.1", 53)); dns.recv(1000)
print("ready", flush=True)
sys.stdin.read()
"""
TRAFFIC_RULES = """\
-A -t 10.0.0.1:80 -s rr -p 100
-a -t 10.0.0.1:80 -r 10.9.0.1:80 -m -w 1
-A -t [fd00::1]:80 -s rr
-a -t [fd00::1]:80 -r [fd09::1]:80 -m -w 1
-A -u 10.0.0.1:53 -s rr -o
-a -u 10.0.0.1:53 -r 10.9.0.1:53 -m -w 1
-A -f 7 -s rr -p 100
-a -f 7 -r 10.9.0.2:0 -m -w 1
"""


@pytest.fixture(scope="module")
def traffic_pid() -> Iterator[int]:
    """Where 5 TCP connections to a persistent service, 1 over IPv6, 1 by fwmark and 4 datagrams have passed."""
    name = "kvtui-ipvs-t"
    with namespace(name) as pid:
        for address in ("10.0.0.1", "10.0.0.9", "10.9.0.1", "10.9.0.2"):
            command("ip", "-n", name, "addr", "add", f"{address}/32", "dev", "lo")
        for address in ("fd00::1", "fd09::1"):
            command("ip", "-n", name, "addr", "add", f"{address}/128", "dev", "lo", "nodad")
        ipvsadm(name, "-R", text=TRAFFIC_RULES)
        argv = ["ip", "netns", "exec", name, sys.executable, "-I", "-S", "-c", SCRIPT]
        script = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert script.stdin is not None
        assert script.stdout is not None
        try:
            assert script.stdout.readline() == "ready\n"
            yield pid
        finally:
            script.stdin.close()
            script.wait()
            script.stdout.close()


def settled(ask: Callable[[], str], pid: int) -> tuple[str, IpvsTable]:
    """ipvsadm's answer and ours, at a moment when ipvsadm says the same before and after."""

    def both() -> tuple[str, IpvsTable] | None:
        before = ask()
        table = read(pid)
        return (before, table) if ask() == before else None

    return poll(both, 30, "two equal answers of ipvsadm")


def test_counters_of_real_traffic_are_exactly_those_of_ipvsadm(traffic_pid: int) -> None:
    def counted() -> bool:  # the kernel sums its counters up every two seconds
        stats = virtual(read(traffic_pid), "10.0.0.1:80").stats
        return stats is not None and stats.connections == 5 and stats.out_bytes > 15_000

    poll(counted, 20, "five connections counted")
    text, table = settled(lambda: ipvsadm("kvtui-ipvs-t", "-Ln", "--stats", "--exact"), traffic_pid)
    assert traffic(table) == columns(text)
    web, web6 = virtual(table, "10.0.0.1:80"), virtual(table, "[fd00::1]:80")
    assert web.stats is not None
    assert web6.stats is not None
    assert web.stats.in_bytes > 13_000
    assert (web6.stats.connections, web6.stats.in_bytes > 200_000) == (1, True)
    dns = virtual(table, "10.0.0.1:53").stats
    assert dns is not None
    assert (dns.connections, dns.in_packets, dns.in_bytes, dns.out_packets) == (4, 4, 4 * 128, 0)


def test_the_kernel_s_rates_are_those_of_ipvsadm(traffic_pid: int) -> None:
    text, table = settled(lambda: ipvsadm("kvtui-ipvs-t", "-Ln", "--rate", "--exact"), traffic_pid)
    assert rates(table) == columns(text)


def test_active_inactive_and_persistent_connections(traffic_pid: int) -> None:
    text, table = settled(lambda: ipvsadm("kvtui-ipvs-t", "-Ln", "--persistent-conn"), traffic_pid)
    assert listed(table, "weight", "persistent", "active", "inactive") == real_servers(columns(text))
    (real,) = virtual(table, "10.0.0.1:80").real_servers
    assert (real.active, real.persistent) == (3, 1)


def test_connections_are_those_of_ipvsadm(traffic_pid: int) -> None:
    def listing() -> list[tuple[str, ...]]:
        rows = [line.split() for line in ipvsadm("kvtui-ipvs-t", "-Lcn").splitlines()[2:]]
        return sorted((row[0], row[2], *row[3:6]) for row in rows)  # without the time that is left

    def both() -> bool:
        before = listing()
        found, total = reader.connections(100)
        if listing() != before:
            return False
        ours = [(c.protocol, c.state, *map(text, (c.client, c.virtual, c.real))) for c in found]
        assert sorted(ours) == before
        assert total == len(before) == len(found)
        return True

    def text(end: tuple[str, int]) -> str:
        return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"

    with IpvsReader(traffic_pid) as reader:
        poll(both, 30, "two equal answers of ipvsadm")


def test_connections_of_one_service_bounded_but_counted(traffic_pid: int) -> None:
    web: ServiceKey = (Protocol.TCP, "10.0.0.1", 80, 0)
    with IpvsReader(traffic_pid) as reader:
        found, total = reader.connections(2, web)
        assert (len(found), total >= 4) == (2, True)  # three that are open, and the template
        every, _ = reader.connections(100, web)
        states = [c.state for c in every if c.client[1]]
        assert states.count("ESTABLISHED") == 3
        assert {c.virtual for c in every} == {("10.0.0.1", 80)}
        assert reader.connections(100, web, ("10.9.0.9", 80)) == ((), 0)
        (six,), one = reader.connections(100, (Protocol.TCP, "fd00::1", 80, 0))
        assert (six.state, six.real, one) == ("ESTABLISHED", ("fd09::1", 80), 1)
        assert 0 < six.expires <= 900


def test_connections_of_a_fwmark_service_are_its_template_and_what_it_sent_on(traffic_pid: int) -> None:
    with IpvsReader(traffic_pid) as reader:
        found, total = reader.connections(100, (Protocol.FWMARK, "", 0, 7), ("10.9.0.2", 0))
    assert total == 2
    assert {(c.protocol, c.virtual, c.real) for c in found} == {
        ("TCP", ("10.0.0.9", 7777), ("10.9.0.2", 7777)),
        ("IP", ("0.0.0.7", 0), ("10.9.0.2", 0)),
    }


# --- a large table, by turns


def test_a_service_that_is_asked_for_alone_is_what_the_dump_says(rules: int) -> None:
    with open_in_network(rules, lambda: GenericNetlink(uapi.GENL_NAME)) as channel:
        dumped = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
        assert {type(v.fwmark) for v in dumped} == {int, type(None)}
        assert [ask_service(channel, v.key) for v in dumped] == dumped
        assert ask_service(channel, (Protocol.TCP, "10.0.0.99", 80, 0)) is None
        assert ask_service(channel, (Protocol.FWMARK, "", 0, 99)) is None


def test_what_is_on_the_screen_is_read_each_time_and_what_is_new_or_gone_elsewhere_within_five_seconds() -> None:
    with namespace("kvtui-turns") as pid:

        def change(*lines: str) -> None:
            text = "\n".join(lines) + "\n"
            argv = ["ip", "netns", "exec", "kvtui-turns", "ipvsadm", "-R"]
            subprocess.run(argv, input=text, text=True, check=True)

        change(*(f"-A -t 10.0.1.{n}:80 -s wlc\n-a -t 10.0.1.{n}:80 -r 10.1.0.1:80 -m -w 1" for n in range(1, 21)))
        now = 1000.0
        # at a second of CPU for whatever it does no machine is slower
        reader = IncrementalReader(with_real_servers, max_full_read=0, cpu=count(0.0, 1.0).__next__)

        with open_in_network(pid, lambda: GenericNetlink(uapi.GENL_NAME)) as channel:

            def after(seconds: float) -> dict[str, list[int]]:
                nonlocal now
                now += seconds
                watched = frozenset({(Protocol.TCP, "10.0.1.7", 80, 0)})
                table = reader.table(channel, watched, lambda: now)
                return {v.name: [r.weight for r in v.real_servers] for v in table.virtual_servers}

            assert len(after(0.0)) == 20
            change("-e -t 10.0.1.7:80 -r 10.1.0.1:80 -m -w 9", "-D -t 10.0.1.9:80", "-A -t 10.0.2.1:80 -s rr")
            seen = after(1.0)
            assert (seen["10.0.1.7:80"], len(seen)) == ([9], 20)
            seen = after(4.0)
            assert ("10.0.1.9:80" in seen, seen["10.0.2.1:80"]) == (False, [])
            change("-D -t 10.0.1.7:80", "-D -t 10.0.1.8:80")
            seen = after(1.0)
            assert {"10.0.1.7:80", "10.0.1.8:80"}.isdisjoint(seen)


# --- what may not be read


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
def test_without_capabilities_procfs_serves_and_the_detail_says_what_is_lost(
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
def test_without_capabilities_a_weight_is_refused_with_the_next_step() -> None:
    before = ipvsadm(NETNS, "-Sn")
    code = """
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.writer import set_weight
from kvtui.model.ipvs import Protocol
try:
    set_weight(None, (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.1", 8080), 0)
except IpvsError as error:
    print(error.reason, error)
"""
    assert without_capabilities(code, inside=True) == (
        "not-permitted The weight of 10.1.0.1:8080 of TCP 10.0.0.1:80 cannot be set: netlink needs CAP_NET_ADMIN: "
        "run kvtui as root, or give its container NET_ADMIN.\n"
    )
    assert ipvsadm(NETNS, "-Sn") == before


def test_a_process_that_ended_is_named() -> None:
    with namespace("kvtui-ipvs-3") as pid:
        reader = IpvsReader(pid)
        reader.read()
    with reader, pytest.raises(IpvsError, match=f"Process {pid}, .* has ended") as raised:
        reader.read()
    assert raised.value.reason is Reason.NO_PROCESS


def open_here() -> list[str]:
    """Sockets and namespaces that this process has open."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder itself
            found.append(str(fd.readlink()))
    return sorted(name for name in found if name.startswith(("socket:", "net:", "/proc")))


def test_a_process_that_ended_and_was_not_waited_for_is_named_too() -> None:
    process = subprocess.Popen(["sleep", "1000"])
    with IpvsReader(process.pid) as reader:
        assert reader.read().complete
        process.kill()
        poll(lambda: " Z " in Path(f"/proc/{process.pid}/stat").read_text(), 10, "a zombie")
        with pytest.raises(IpvsError, match=f"Process {process.pid}, .* has ended"):
            reader.read()
    process.wait()


def test_a_module_that_was_loaded_anew_has_another_number_and_is_found_again(rules: int) -> None:
    with IpvsReader(rules) as reader:
        whole = reader.read()
        assert reader._channel is not None
        stale = reader._channel
        stale._family += 500  # as after `modprobe -r ip_vs; modprobe ip_vs`
        assert reader.read().virtual_servers == whole.virtual_servers
        assert reader._channel is not stale


def test_a_reader_leaves_nothing_open(rules: int) -> None:
    before = open_here()
    reader = IpvsReader(rules)
    reader.read()
    assert len(open_here()) == len(before) + 1
    reader.connections(10)
    reader.close()
    read_sysctls(rules)
    set_weight(rules, (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.1", 8080), 5)
    assert open_here() == before


def test_our_own_namespace_is_never_left(rules: int) -> None:
    before = Path("/proc/self/ns/net").readlink()
    read(rules)
    read_sysctls(rules)

    def namespaces() -> set[Path]:
        found = set()
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the thread ended
                found.add((task / "ns/net").readlink())
        return found

    poll(lambda: namespaces() == {before}, 10, lambda: f"the end of the thread that was elsewhere: {namespaces()}")


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


# --- the one thing that is written

WEIGHTS: list[tuple[str, ServiceKey, tuple[str, int]]] = [
    ("NAT with thresholds", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.1", 8080)),
    ("direct", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.2", 80)),
    ("ipip", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.3", 80)),
    ("gue with checksum", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.4", 80)),
    ("gue without", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.5", 80)),
    ("gre", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.6", 80)),
    ("IPv6 tunnel of an IPv4 service", (Protocol.TCP, "10.0.0.1", 80, 0), ("fd01::7", 80)),
    ("IPv6 NAT with thresholds", (Protocol.TCP, "fd00::1", 443, 0), ("fd01::1", 8443)),
    ("IPv6 direct", (Protocol.TCP, "fd00::1", 443, 0), ("fd01::2", 443)),
    ("UDP", (Protocol.UDP, "10.0.0.1", 53, 0), ("10.1.0.1", 53)),
    ("SCTP", (Protocol.SCTP, "10.0.0.1", 99, 0), ("10.1.0.1", 99)),
    ("every port", (Protocol.TCP, "10.0.0.3", 0, 0), ("10.1.0.1", 0)),
    ("fwmark", (Protocol.FWMARK, "", 0, 7), ("10.1.0.2", 0)),
    ("IPv6 fwmark", (Protocol.FWMARK, "::", 0, 8), ("fd01::1", 0)),
]


@pytest.mark.parametrize(("service", "real"), [case[1:] for case in WEIGHTS], ids=[case[0] for case in WEIGHTS])
def test_setting_a_weight_changes_the_weight_and_nothing_else(
    rules: int, service: ServiceKey, real: tuple[str, int]
) -> None:
    def everything() -> tuple[list[str], dict[tuple[str, str], tuple[str, ...]]]:
        return ipvsadm(NETNS, "-Sn").splitlines(), columns(ipvsadm(NETNS, "-Ln", "--thresholds"))

    lines_before, limits = everything()
    before, after = set_weight(rules, service, real, 77)
    assert after == replace(before, weight=77)
    assert before.weight != 77
    lines_after, limits_after = everything()
    changed = [(a, b) for a, b in zip(lines_before, lines_after, strict=True) if a != b]
    ((old, new),) = changed
    assert new == old.replace(f" -w {before.weight}", " -w 77")
    assert limits_after == limits
    # and back again: the table is as it was
    assert set_weight(rules, service, real, before.weight) == (after, before)
    assert everything() == (lines_before, limits)


@pytest.mark.parametrize("weight", [0, 65535])
def test_the_bounds_of_a_weight(rules: int, weight: int) -> None:
    _, after = set_weight(rules, (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.4", 80), weight)
    assert after.weight == weight
    assert f"-r 10.1.0.4:80 -i -w {weight} --tun-type gue --tun-port 6080 --tun-csum" in ipvsadm(NETNS, "-Sn")


@pytest.mark.parametrize(
    ("service", "real"),
    [
        ((Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.99", 80)),
        ((Protocol.TCP, "10.0.0.99", 80, 0), ("10.1.0.1", 8080)),
    ],
    ids=["no such real server", "no such virtual server"],
)
def test_what_is_not_in_the_table_is_not_put_there(rules: int, service: ServiceKey, real: tuple[str, int]) -> None:
    before = ipvsadm(NETNS, "-Sn")
    with pytest.raises(NotInTableError, match=f"has no {real[0]}:{real[1]} of TCP {service[1]}:80"):
        set_weight(rules, service, real, 0)
    assert ipvsadm(NETNS, "-Sn") == before


def test_an_undecodable_answer_ends_in_procfs_and_the_next_reading_is_whole_again(
    rules: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IpvsReader(rules) as reader:
        whole = reader.read()
        with monkeypatch.context() as patched:
            patched.setattr(uapi, "FORWARDING_METHODS", ())
            assert not reader.read().complete
            assert "netlink answer is not understood (forwarding method" in reader.detail
        assert reader.read().virtual_servers == whole.virtual_servers
        assert reader.detail == ""


def test_a_socket_in_another_namespace_reads_that_namespace(rules: int) -> None:
    from kvtui.backend.ipvs import decode  # noqa: PLC0415 - the layer below the reader, for this test only

    with open_in_network(rules, lambda: GenericNetlink("IPVS")) as channel:
        assert len(channel.dump(uapi.CMD_GET_SERVICE, decode.service)) == 10
