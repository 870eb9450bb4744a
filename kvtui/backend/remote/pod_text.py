"""A pod with keepalived and without kvtui: what a shell in it prints of addresses, IPVS, config and state, parsed."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.conf.expand import ConfigFile, Expander
from kvtui.backend.conf.reader import conf_of
from kvtui.backend.keepalived.dumps.data_text import parse_vrrp_data
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.ip import canonical
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer
from kvtui.model.keepalived import Children, Keepalived
from kvtui.model.snapshot import Node, Snapshot
from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 2
"""Between two readings."""
MAX_STATE_AGE = 60
"""Seconds. kvtui sends no signal to a pod that it only reads: keepalived's dump counts where something else asked."""
SCRIPT = f"""
mark=$0
while :; do
  conf=/etc/keepalived/keepalived.conf; pid=
  for d in /proc/[0-9]*; do
    read -r comm < $d/comm && [ "$comm" = keepalived ] || continue
    [ -z "$pid" ] && pid=${{d#/proc/}} || continue
    words=$(tr '\\0' ' ' < $d/cmdline)
    case $words in
      *' -f '*) conf=${{words#* -f }};;
      *--use-file=*) conf=${{words#*--use-file=}};;
      *--use-file\\ *) conf=${{words#*--use-file }};;
    esac
    conf=${{conf%% *}}
  done 2>/dev/null
  printf '\\n%s addresses\\n' "$mark"; ip -j addr
  printf '\\n%s rules\\n' "$mark"; ipvsadm -Sn
  printf '\\n%s stats\\n' "$mark"; ipvsadm -Ln --stats --exact
  printf '\\n%s conf %s\\n' "$mark" "$conf"; cat "$conf"
  age=$(( $(date +%s) - $(stat -c %Y /tmp/keepalived.data 2>/dev/null || echo 0) ))
  [ $age -lt {MAX_STATE_AGE} ] && printf '\\n%s state\\n' "$mark" && cat /tmp/keepalived.data
  printf '\\n%s version %s\\n' "$mark" "$pid"; keepalived --version 2>&1
  printf '\\n%s end\\n' "$mark" || exit
  sleep {SECONDS}
done
"""
PROTOCOLS = {"-t": Protocol.TCP, "-u": Protocol.UDP, "--sctp-service": Protocol.SCTP, "-f": Protocol.FWMARK}
METHODS = {"-m": ForwardingMethod.MASQ, "-g": ForwardingMethod.DIRECT, "-i": ForwardingMethod.TUNNEL}
DETAIL = "no kvtui in the pod: read by exec"

Sections = dict[str, tuple[str, str]]
"""Name → (the word after it, its text)."""


def sections(lines: Iterator[str], mark: str) -> Iterator[Sections]:
    """Yields each reading."""
    found: Sections = {}
    name, word, text = "", "", []
    for line in lines:
        if not line.startswith(f"{mark} "):
            text.append(line)
            continue
        if name:
            found[name] = (word, "".join(text))
        name, _, word = line.removeprefix(f"{mark} ").strip().partition(" ")
        text = []
        if name == "end":
            yield found
            found, name = {}, ""


def pod_snapshot(pod: str, found: Mapping[str, tuple[str, str]]) -> Snapshot:
    """Returns what is known of the node; a part that is missing or not understood is a source that says so."""
    now = time.time()
    sources = {name: Source(name, SourceState.UNAVAILABLE, DETAIL) for name in SourceName}

    def tell(name: SourceName, *, ok: bool, what: str) -> None:
        state = SourceState.OK if ok else SourceState.UNAVAILABLE
        sources[name] = Source(name, state, DETAIL if ok else f"{DETAIL}; {what}", now if ok else None)

    addresses = _addresses(found.get("addresses", ("", ""))[1], now)
    tell(SourceName.ADDRESSES, ok=addresses is not None, what="ip -j addr printed no JSON")
    rules, stats = (found.get(name, ("", ""))[1] for name in ("rules", "stats"))
    table = _table(rules, _stats(stats), now) if "ActiveConn" in stats or "InPkts" in stats else None
    tell(SourceName.IPVS, ok=table is not None, what="ipvsadm cannot read the table")
    path, text = found.get("conf", ("", ""))
    text = text.strip("\n")
    expander = Expander(None)  # includes are files of the pod: not read
    conf = conf_of(expander, expander.file(ConfigFile(path, text)), now=now) if text else None
    tell(SourceName.CONF, ok=conf is not None, what=f"{path} cannot be read")
    state = found.get("state", ("", ""))[1]
    instances = parse_vrrp_data(state) if state else None
    tell(SourceName.VRRP, ok=instances is not None, what="no recent dump of keepalived")
    pid, version = found.get("version", ("", ""))
    keepalived = (_keepalived(int(pid), version, path),) if pid.isdigit() else ()
    tell(SourceName.KEEPALIVED, ok=bool(keepalived), what="no keepalived runs there")
    return Snapshot(
        time=now,
        node=Node(pod, read_only=True),
        sources=tuple(sources.values()),
        keepalived=keepalived,
        chosen=keepalived[0].pid if keepalived else None,
        conf=conf,
        instances=instances,
        ipvs=table,
        addresses=addresses,
    )


def _keepalived(pid: int, text: str, conf: str) -> Keepalived:
    version = next((w[1:] for w in text.split() if w.startswith("v") and w[1:2].isdigit()), None)
    return Keepalived(pid, pid, (), version, conf, "", None, None, None, Children(), 0.0)


def _addresses(text: str, now: float) -> AddressTable | None:
    try:
        links = json.loads(text)
        interfaces = tuple(
            Interface(link["ifindex"], link["ifname"], "UP" in link["flags"], "LOWER_UP" in link["flags"], link["mtu"])
            for link in links
        )
        addresses = tuple(
            InterfaceAddress(a["local"], a["prefixlen"], link["ifname"], a.get("label"), a.get("scope", "global"))
            for link in links
            for a in link.get("addr_info", ())
            if "local" in a
        )
    except (ValueError, KeyError, TypeError):
        return None
    return AddressTable(addresses, interfaces, now)


def _table(rules: str, stats: Mapping[tuple[str, str], Stats], now: float) -> IpvsTable:
    """Joins ``ipvsadm -Sn``, which has weights and methods, with the counters."""
    virtual: dict[str, VirtualServer] = {}
    reals: dict[str, list[RealServer]] = {}
    for line in rules.splitlines():
        words = line.split()
        try:
            name = f"{words[1]} {words[2]}"
            if words[0] == "-A":
                virtual[name] = _virtual(words, stats.get((name, "")))
            elif words[0] == "-a":
                real = words[words.index("-r") + 1]
                reals.setdefault(name, []).append(_real(words, real, stats.get((name, real))))
        except (IndexError, KeyError, ValueError):  # a message of ipvsadm's, or a later version's
            continue
    servers = tuple(replace(v, real_servers=tuple(reals.get(name, ()))) for name, v in virtual.items())
    return IpvsTable(servers, complete=False, read_at=now, monotonic=time.monotonic())


def _virtual(words: list[str], stats: Stats | None) -> VirtualServer:
    protocol, options = PROTOCOLS[words[1]], dict(pairwise(words[3:]))
    timeout, scheduler = options.get("-p", ""), options.get("-s", "")
    persistence = int(timeout) if timeout.isdigit() else None
    flags = ("persistent",) if persistence is not None else ()
    fwmark = int(words[2]) if protocol is Protocol.FWMARK else None
    address, port = _endpoint(words[2]) if fwmark is None else (None, None)
    family = 6 if "-6" in words or ":" in (address or "") else 4
    return VirtualServer(protocol, address, port, fwmark, family, scheduler, flags, persistence, stats=stats)


def _real(words: list[str], name: str, stats: Stats | None) -> RealServer:
    address, port = _endpoint(name)
    method = next((METHODS[w] for w in words if w in METHODS), ForwardingMethod.DIRECT)
    weight = int(words[words.index("-w") + 1]) if "-w" in words else 1
    return RealServer(address, port, method, weight, active=0, inactive=0, stats=stats)


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "0")
    return canonical(host.strip("[]")) or host, int(port or 0)


def _stats(text: str) -> dict[tuple[str, str], Stats]:
    """Returns the counters of ``ipvsadm -Ln --stats --exact``; a virtual server's have an empty real server."""
    letters = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service", "FWM": "-f"}
    found: dict[tuple[str, str], Stats] = {}
    name = ""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 7 or not all(w.isdigit() for w in words[-5:]):
            continue
        if words[0] in letters:
            name = f"{letters[words[0]]} {words[1]}"
        found[name, "" if words[0] in letters else words[1]] = Stats(*map(int, words[-5:]))
    return found
