"""The running config and the file of real keepalived in its own mount namespace, and their differences."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.backend.conf.copies import read_running
from kvtui.backend.conf.editor import set_priority
from kvtui.backend.conf.reader import read
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import Conf
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

CONF = "/etc/keepalived/keepalived.conf"
EXTRA = """\
! a second instance, with all kinds of syntax
$NET=10.4.0
$ADDRESSES= \\
    ${NET}.60/24 \\
    ${NET}.61/24   # two of them
include nothing-here.conf
vrrp_instance extra
{
\tstate BACKUP ! of course
\tinterface eth0
\tvirtual_router_id 99
@%(id)s priority 42
@^%(id)s priority 43
\tadvert_int 1
\tvirtual_ipaddress { ${NET}.62
\t\t$ADDRESSES
\t\t~SEQ(N, 63, 65) ${NET}.${N} dev eth0
\t\t~LST({A, B}, {6, 6}, {6, 7}) ${NET}.${A}${B}
\t}
}\
"""
VIPS = [f"10.4.0.{n}" for n in (62, 60, 61, 63, 64, 65, 66, 67)]


@pytest.fixture
def node(cluster: Cluster) -> Iterator[Node]:
    chosen = cluster.node("node-a")
    more = chosen.conf_path.parent / "more"
    more.mkdir()
    more.joinpath("extra.conf").write_text(EXTRA % {"id": os.uname().nodename.partition(".")[0]})
    yield chosen
    more.joinpath("extra.conf").unlink()
    more.rmdir()


def saved(node: Node) -> Conf:
    return read(CONF, root=f"/proc/{node.keepalived_pid}/root", now=0)


def running(node: Node) -> Conf:
    conf = read_running(node.keepalived_pid, now=0)
    assert conf is not None
    return conf


def test_file_and_running_config_agree_at_the_start(cluster: Cluster) -> None:
    for node in cluster.nodes:
        assert saved(node).digest == running(node).digest
        assert saved(node).problems == ()
        assert [(i.name, i.priority, i.vips) for i in running(node).instances] == [
            (i.name, i.priority, i.vips) for i in saved(node).instances
        ]
        assert [s.address for s in running(node).virtual_servers] == ["10.4.0.50", "10.4.0.51"]


def test_an_edit_is_a_difference_until_the_reload(node: Node) -> None:
    text = node.conf_path.read_text()
    name = saved(node).instances[0].name
    node.write_conf(set_priority(text, name, 77))
    assert saved(node).digest != running(node).digest
    assert (saved(node).instances[0].priority, running(node).instances[0].priority) == (77, 100)
    node.reload()
    assert saved(node).digest == running(node).digest
    assert running(node).instances[0].priority == 77
    node.write_conf("# only a comment more\n" + text.replace("  ", "\t") + "\n\n")
    node.reload()
    node.write_conf(text)
    assert saved(node).digest == running(node).digest


def test_includes_macros_and_conditions(node: Node) -> None:
    node.reload(node.conf_path.read_text() + "\ninclude more/*.conf # all\n")
    disk, memory = saved(node), running(node)
    assert disk.digest == memory.digest
    assert disk.files == memory.files == (CONF, "/etc/keepalived/more/extra.conf")
    assert [p.at.line for p in disk.problems] == [p.at.line for p in memory.problems] == [6]
    for conf in (disk, memory):
        extra = conf.instances[1]
        assert (extra.name, extra.priority, extra.priority_literal) == ("extra", 42, False)
        assert [v.address for v in extra.vips] == VIPS
        assert extra.at.file == "/etc/keepalived/more/extra.conf"
    dumped = dump(node)["extra"]
    assert dumped["base_priority"] == 42
    assert [vip.partition(" ")[0].partition("/")[0] for vip in dumped["vips"]] == VIPS


def dump(node: Node) -> dict[str, dict[str, Any]]:
    """Returns keepalived's own dump of its instances, to compare with kvtui's reading."""
    path = node.folder / "tmp" / "keepalived.json"
    path.unlink(missing_ok=True)
    os.kill(node.keepalived_pid, signal.SIGRTMIN + 2)

    def read_dump() -> list[dict[str, dict[str, Any]]]:
        try:
            found: list[dict[str, dict[str, Any]]] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        return found

    return {str(entry["data"]["iname"]): entry["data"] for entry in poll(read_dump, 10, "keepalived's JSON dump")}
