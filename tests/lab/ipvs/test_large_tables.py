"""Tables of many services, tables that change during a read, and incremental reads."""

from __future__ import annotations

import subprocess
import time
from itertools import count
from typing import TYPE_CHECKING, Any

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.genl import GenericNetlink
from kvtui.backend.ipvs.incremental import IncrementalReader, ask_service
from kvtui.backend.ipvs.reader import IpvsReader, with_real_servers
from kvtui.backend.linux.namespaces import open_in_network
from kvtui.model.ipvs import Protocol
from tests.ipvs.ipvsadm import ipvsadm, saved
from tests.lab.ipvs.tables import NETNS, lines, namespace, read

if TYPE_CHECKING:
    import pytest


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
    # a datagram larger than the buffer is requested again
    with IpvsReader(pid) as reader:
        reader.read()
        assert reader.channel is not None
        reader.channel.buffer = bytearray(1000)
        reader.channel.needed = 0
        assert reader.read().virtual_servers == table.virtual_servers
        assert len(reader.channel.buffer) > 1000


def test_a_table_that_changes_during_a_read_is_never_incomplete(pid: int) -> None:
    """A service with a real server is added and removed while a table of several datagrams is read."""
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
                    assert "changed during" in str(busy)  # noqa: PT017 - allowed, not expected
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

    def dump_and_remove(channel: GenericNetlink, number: int, *rest: object) -> Any:
        got = dump(channel, number, *rest)
        commands.append(number)
        if number == uapi.CMD_GET_SERVICE and commands.count(number) == 1:
            ipvsadm(NETNS, "-D", "-t", "10.0.0.1:80")
        return got

    monkeypatch.setattr(GenericNetlink, "dump", dump_and_remove)
    table = read(rules)
    assert commands.count(uapi.CMD_GET_SERVICE) == 2
    assert saved(table) == lines(ipvsadm(NETNS, "-Sn"))
    assert "10.0.0.1:80" not in [v.name for v in table.virtual_servers]


def test_a_single_service_equals_its_entry_in_the_dump(rules: int) -> None:
    with open_in_network(rules, lambda: GenericNetlink(uapi.GENL_NAME)) as channel:
        dumped = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
        assert {type(v.fwmark) for v in dumped} == {int, type(None)}
        assert [ask_service(channel, v.key) for v in dumped] == dumped
        assert ask_service(channel, (Protocol.TCP, "10.0.0.99", 80, 0)) is None
        assert ask_service(channel, (Protocol.FWMARK, "", 0, 99)) is None


def test_watched_services_are_read_each_time_and_all_others_within_five_seconds() -> None:
    with namespace("kvtui-turns") as pid:

        def change(*lines: str) -> None:
            text = "\n".join(lines) + "\n"
            argv = ["ip", "netns", "exec", "kvtui-turns", "ipvsadm", "-R"]
            subprocess.run(argv, input=text, text=True, check=True)

        change(*(f"-A -t 10.0.1.{n}:80 -s wlc\n-a -t 10.0.1.{n}:80 -r 10.1.0.1:80 -m -w 1" for n in range(1, 21)))
        now = 1000.0
        # each call of the CPU clock adds a second: slower than any real machine
        reader = IncrementalReader(with_real_servers, max_full_read=0, cpu=count(0.0, 1.0).__next__, clock=lambda: now)

        with open_in_network(pid, lambda: GenericNetlink(uapi.GENL_NAME)) as channel:

            def after(seconds: float) -> dict[str, list[int]]:
                nonlocal now
                now += seconds
                watched = frozenset({(Protocol.TCP, "10.0.1.7", 80, 0)})
                table = reader.table(channel, watched)
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
