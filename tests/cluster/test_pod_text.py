"""A pod without kvtui: kvtui reads the node from the output of a shell. The lab tests this on a real pod."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.remote.pod_text import pod_snapshot, sections
from kvtui.cli.pod_status import with_states
from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot

LINKS = [
    {
        "ifindex": 2, "ifname": "eth0", "flags": ["BROADCAST", "UP", "LOWER_UP"], "mtu": 1500,
        "addr_info": [
            {"family": "inet", "local": "10.4.0.3", "prefixlen": 24, "scope": "global", "label": "eth0"},
            {"family": "inet", "local": "10.4.0.50", "prefixlen": 32, "scope": "global"},
        ],
    },
]  # fmt: skip
RULES = """-A -t 10.4.0.50:80 -s wlc -p 1800
-a -t 10.4.0.50:80 -r 10.4.0.11:80 -g -w 1
-a -t 10.4.0.50:80 -r 10.4.0.12:80 -m -w 0
-A -f 7 -s rr -6
-A -u [fd00::50]:53 -s rr
-a -u [fd00::50]:53 -r [fd00::11]:53 -i -w 3 --tun-type ipip
"""
STATS = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.4.0.50:80                      12      70        0     5400        0
  -> 10.4.0.11:80                       9      50        0     4000        0
  -> 10.4.0.12:80                       3      20        0     1400        0
"""
CONF = """global_defs {
}
vrrp_instance vips {
  interface eth0
  virtual_router_id 50
  priority 100
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    10.4.0.50
  }
}
"""
VERSION = "Keepalived v2.2.7 (01/16,2022)\n"


def read(*, links: str = json.dumps(LINKS), rules: str = RULES, stats: str = STATS, conf: str = CONF) -> Snapshot:
    """Returns the snapshot of one reading."""
    parts = [
        ("addresses", links), ("rules", rules), ("stats", stats), ("conf /etc/keepalived/keepalived.conf", conf),
        ("version 7", VERSION), ("end", ""),
    ]  # fmt: skip
    lines = "".join(f"\nM {name}\n{text}" for name, text in parts).splitlines(keepends=True)
    (found,) = sections(iter(lines), "M")
    return with_states(pod_snapshot("pod/lb/vip-a", found))


def test_addresses_table_config_and_version() -> None:
    snapshot = read()
    assert {s.name: s.state for s in snapshot.sources if s.state is SourceState.OK}.keys() == {
        SourceName.KEEPALIVED, SourceName.CONF, SourceName.IPVS, SourceName.ADDRESSES,
    }  # fmt: skip
    assert snapshot.keepalived[0].version == "2.2.7"
    assert snapshot.ipvs is not None
    tcp, fwmark, udp = snapshot.ipvs.virtual_servers
    assert (tcp.name, tcp.scheduler, tcp.persistence_timeout) == ("10.4.0.50:80", "wlc", 1800)
    assert tcp.stats is not None
    assert tcp.stats.connections == 12
    assert [(r.address, r.method.value, r.weight, r.stats and r.stats.connections) for r in tcp.real_servers] == [
        ("10.4.0.11", "direct", 1, 9), ("10.4.0.12", "masq", 0, 3),
    ]  # fmt: skip
    assert (fwmark.fwmark, fwmark.family) == (7, 6)
    assert (udp.name, udp.real_servers[0].key, udp.real_servers[0].weight) == ("[fd00::50]:53", ("fd00::11", 53), 3)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, VrrpState.MASTER),
        ({"links": json.dumps(LINKS).replace("10.4.0.50", "10.4.0.9")}, VrrpState.BACKUP),
        ({"links": json.dumps(LINKS).replace("LOWER_UP", "X").replace("10.4.0.50", "10.4.0.9")}, VrrpState.FAULT),
    ],
    ids=["VIP here", "VIP elsewhere", "no carrier"],
)
def test_the_state_follows_from_the_addresses(change: dict[str, str], state: VrrpState) -> None:
    (instance,) = read(**change).instances or ()
    assert (instance.state, instance.base_priority, instance.vrid) == (state, 100, 50)


@pytest.mark.parametrize(
    ("change", "source"),
    [
        ({"links": "sh: ip: not found"}, SourceName.ADDRESSES),
        ({"links": '[{"ifname": 1}]'}, SourceName.ADDRESSES),
        ({"stats": "Can't initialize ipvs: Permission denied"}, SourceName.IPVS),
        ({"conf": ""}, SourceName.CONF),
    ],
)
def test_an_unreadable_source_is_unavailable(change: dict[str, str], source: SourceName) -> None:
    found = read(**change).source(source)
    assert found.state is SourceState.UNAVAILABLE
    assert found.detail.startswith("no kvtui in the pod: read by exec; ")


@pytest.mark.parametrize(
    "rules", ["-A -t 10.4.0.50:80\n", "-a -t x\n", "-A -f seven -s rr\n", "-A -t '\n", "-A -t x:y -s\n"]
)
def test_unknown_lines_are_skipped(rules: str) -> None:
    assert read(rules=rules).ipvs is not None
