"""kvtui's IPVS table is compared with ipvsadm's, column by column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.genl import GenericNetlink
from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.linux.namespaces import open_in_network
from kvtui.model.ipvs import Protocol
from tests.ipvs.ipvsadm import columns, ipvsadm, listed, saved
from tests.lab.ipvs.tables import NETNS, lines, load, namespace, read, real_servers

if TYPE_CHECKING:
    import pytest

    from kvtui.model.ipvs import VirtualServer


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


def test_a_fwmark_is_unsigned_though_ipvsadm_prints_it_signed(pid: int) -> None:
    ipvsadm(NETNS, "-A", "-f", "4294967295", "-s", "rr")
    assert "-A -f -1 -s rr" in ipvsadm(NETNS, "-Sn")
    assert [v.key for v in read(pid).virtual_servers] == [(Protocol.FWMARK, "", 0, 4294967295)]


def test_an_empty_table_is_empty_and_complete(pid: int) -> None:
    table = read(pid)
    assert (table.virtual_servers, table.complete) == ((), True)


def test_the_table_is_that_of_the_process_s_namespace(rules: int) -> None:
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


def test_procfs_has_the_same_fields_as_far_as_it_shows_them(rules: int) -> None:
    """kvtui derives family and persistence of fwmark services, which procfs lacks; 2147483647 has neither."""
    full, text = read(rules), table_of_procfs(rules)
    wanted = sorted((visible_in_procfs(v) for v in full.virtual_servers), key=repr)
    assert sorted(text, key=repr) == wanted


def visible_in_procfs(v: VirtualServer) -> VirtualServer:
    """Drops what procfs does not show, and sorts real servers: netlink and procfs list them in opposite order."""
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


def table_of_procfs(pid: int) -> list[VirtualServer]:
    """Reads the table from procfs."""
    from kvtui.backend.ipvs import procfs  # noqa: PLC0415 - the only test that bypasses the reader

    table = procfs.read_table(Path(f"/proc/{pid}/net"))
    assert not table.complete
    return [replace(v, real_servers=tuple(sorted(v.real_servers, key=lambda r: r.key))) for v in table.virtual_servers]


def test_after_an_undecodable_answer_procfs_is_read_and_the_next_read_is_complete(
    rules: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IpvsReader(rules) as reader:
        whole = reader.read()
        with monkeypatch.context() as patched:
            patched.setattr(uapi, "FORWARDING_METHODS", ())
            assert not reader.read().complete
            assert "kvtui does not understand this kernel's netlink answer (forwarding method" in reader.detail
        assert reader.read().virtual_servers == whole.virtual_servers
        assert reader.detail == ""


def test_a_socket_in_another_namespace_reads_that_namespace(rules: int) -> None:

    with open_in_network(rules, lambda: GenericNetlink("IPVS")) as channel:
        assert len(channel.dump(uapi.CMD_GET_SERVICE, decode.service)) == 10
