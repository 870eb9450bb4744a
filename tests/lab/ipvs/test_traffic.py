"""Counters, rates and connections of real traffic are compared with ipvsadm's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.model.ipvs import Protocol
from tests.ipvs.ipvsadm import columns, ipvsadm, listed, rates, traffic
from tests.lab.ipvs.tables import command, namespace, read, real_servers, virtual
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.ipvs import IpvsTable, ServiceKey


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
    """A namespace after 5 TCP connections to a persistent service, 1 over IPv6, 1 by fwmark, and 4 datagrams."""
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


def stable_reading(ask: Callable[[], str], pid: int) -> tuple[str, IpvsTable]:
    """Returns ipvsadm's output and kvtui's table, once ipvsadm prints the same before and after kvtui reads."""

    def both() -> tuple[str, IpvsTable] | None:
        before = ask()
        table = read(pid)
        return (before, table) if ask() == before else None

    return poll(both, 30, "two equal answers of ipvsadm")


def test_counters_of_real_traffic_are_exactly_those_of_ipvsadm(traffic_pid: int) -> None:
    def counted() -> bool:  # the kernel updates its counters every two seconds
        stats = virtual(read(traffic_pid), "10.0.0.1:80").stats
        return stats is not None and stats.connections == 5 and stats.out_bytes > 15_000

    poll(counted, 20, "five connections counted")
    text, table = stable_reading(lambda: ipvsadm("kvtui-ipvs-t", "-Ln", "--stats", "--exact"), traffic_pid)
    assert traffic(table) == columns(text)
    web, web6 = virtual(table, "10.0.0.1:80"), virtual(table, "[fd00::1]:80")
    assert web.stats is not None
    assert web6.stats is not None
    assert web.stats.in_bytes > 13_000
    assert (web6.stats.connections, web6.stats.in_bytes > 200_000) == (1, True)
    dns = virtual(table, "10.0.0.1:53").stats
    assert dns is not None
    assert (dns.connections, dns.in_packets, dns.in_bytes, dns.out_packets) == (4, 4, 4 * 128, 0)


def test_rates_are_those_of_ipvsadm(traffic_pid: int) -> None:
    text, table = stable_reading(lambda: ipvsadm("kvtui-ipvs-t", "-Ln", "--rate", "--exact"), traffic_pid)
    assert rates(table) == columns(text)


def test_active_inactive_and_persistent_connections(traffic_pid: int) -> None:
    text, table = stable_reading(lambda: ipvsadm("kvtui-ipvs-t", "-Ln", "--persistent-conn"), traffic_pid)
    assert listed(table, "weight", "persistent", "active", "inactive") == real_servers(columns(text))
    (real,) = virtual(table, "10.0.0.1:80").real_servers
    assert (real.active, real.persistent) == (3, 1)


def test_connections_are_those_of_ipvsadm(traffic_pid: int) -> None:
    def listing() -> list[tuple[str, ...]]:
        rows = [line.split() for line in ipvsadm("kvtui-ipvs-t", "-Lcn").splitlines()[2:]]
        return sorted((row[0], row[2], *row[3:6]) for row in rows)  # without the expiry time

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


def test_connections_of_one_service_are_limited_but_counted(traffic_pid: int) -> None:
    web: ServiceKey = (Protocol.TCP, "10.0.0.1", 80, 0)
    with IpvsReader(traffic_pid) as reader:
        found, total = reader.connections(2, web)
        assert (len(found), total >= 4) == (2, True)  # three open ones and the template
        every, _ = reader.connections(100, web)
        states = [c.state for c in every if c.client[1]]
        assert states.count("ESTABLISHED") == 3
        assert {c.virtual for c in every} == {("10.0.0.1", 80)}
        assert reader.connections(100, web, ("10.9.0.9", 80)) == ((), 0)
        (six,), one = reader.connections(100, (Protocol.TCP, "fd00::1", 80, 0))
        assert (six.state, six.real, one) == ("ESTABLISHED", ("fd09::1", 80), 1)
        assert 0 < six.expires <= 900


def test_connections_of_a_fwmark_service_are_its_template_and_what_it_forwarded(traffic_pid: int) -> None:
    with IpvsReader(traffic_pid) as reader:
        found, total = reader.connections(100, (Protocol.FWMARK, "", 0, 7), ("10.9.0.2", 0))
    assert total == 2
    assert {(c.protocol, c.virtual, c.real) for c in found} == {
        ("TCP", ("10.0.0.9", 7777), ("10.9.0.2", 7777)),
        ("IP", ("0.0.0.7", 0), ("10.9.0.2", 0)),
    }
