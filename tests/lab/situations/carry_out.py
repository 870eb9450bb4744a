"""Runs a situation, and reports what the plan predicted and what the lab observed on all nodes."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from tests.lab.operate import kvtui
from tests.lab.poll import poll
from tests.lab.situations.rows import PRIORITY
from tests.lab.spec import CLIENTS

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node
    from tests.lab.situations.rows import Row

STABLE_INTERVALS = 3.0
"""The holders of an address are final when they stay the same for so many advert intervals."""
MAX_SECONDS = 40.0


def carry_out(row: Row, cluster: Cluster) -> dict[str, Any]:
    """Returns the plan's predictions, the exit code, the last line printed, and what was observed for each instance."""
    node = cluster.master() if row.node == "master" else next(n for n in cluster.nodes if n is not cluster.master())
    text = node.conf_path.read_text()
    for old, new in row.edits:
        found = re.search(r"priority \d+", text) if old == PRIORITY else None
        old = found[0] if found else old  # noqa: PLW2901 - with nopreempt any node may be master
        assert old in text, f"{old!r} is not in the config"
        text = text.replace(old, new, 1)
    is_drain = row.words[0] == "drain"
    if row.edits and is_drain:
        node.reload(text)
        _settle(cluster, node)
    elif row.edits:
        node.write_conf(text)
    for name, content in row.files:
        (node.folder / "tmp" / name).write_text(content)
    done = kvtui(node, node.folder / "state", "-o", "json", "--yes", *row.words, "--force")
    assert done.stdout, f"{done.returncode}\n{done.stderr}"
    document = json.loads(done.stdout)
    plan = document["plan"]
    assert plan is not None, f"{done.returncode}\n{done.stderr}"
    watched = {a for p in plan["prediction"] for side in p["vips_here"].values() for a in side or ()}
    watched |= set(cluster.spec.vips)
    deadline = time.monotonic() + MAX_SECONDS
    while True:  # a busy machine is slow: only a lasting difference is wrong
        holders = _stable_holders(cluster, sorted(watched))
        instances = [_compared(p, node, holders) for p in plan["prediction"]]
        services = [_compared_service(t, cluster, node) for t in plan["traffic"] or ()]
        if not any(i["wrong"] for i in (*instances, *services)) or time.monotonic() > deadline:
            break
    return {
        "name": row.name,
        "keepalived": node.version.text,
        "node": node.address,
        "code": done.returncode,
        "printed": done.stderr.splitlines()[-1],
        "effects": plan["effects"],
        "notes": [f"{r['grade']}: {r['text']}" for r in plan["remarks"] if r["grade"] != "note"],
        "instances": instances,
        "services": services,
    }


def _settle(cluster: Cluster, node: Node) -> None:
    """Waits until the kernel has the config's real servers and weights."""
    written = re.findall(
        r"^ +real_server (\S+) \d+ \{.*?^ +weight (\d+)", node.conf_path.read_text(), re.MULTILINE | re.DOTALL
    )
    wanted = sorted((address, int(weight)) for address, weight in written)
    poll(lambda: sorted((a, w) for s in _table(node).values() for a, w in s.items()) == wanted, MAX_SECONDS, node.ipvs)
    cluster.wait_settled()


def _table(node: Node) -> dict[str, dict[str, int]]:
    """Returns the weights of each virtual server's real servers, from the kernel."""
    found: dict[str, dict[str, int]] = {}
    for line in node.ipvs().splitlines():
        words = line.split()
        service = found.setdefault(words[2], {})
        if words[0] == "-a":
            service[words[4].partition(":")[0]] = int(words[words.index("-w") + 1])
    return found


def _compared_service(t: dict[str, Any], cluster: Cluster, node: Node) -> dict[str, Any]:
    """Compares one service. Requests it from all addresses of the client if this node has the VIP."""
    service = t["virtual_server"]
    weights = _table(node).get(service, {})
    sorry = re.search(r"^ *sorry_server (\S+)", node.conf_path.read_text(), re.MULTILINE)
    regular = {a: w for a, w in weights.items() if sorry is None or a != sorry[1]}
    sorry_in_use = sorry is not None and bool(weights.get(sorry[1]))
    observed = {
        "real_servers": sum(map(bool, regular.values())),
        "weight": sum(regular.values()),
        "sorry_server": f"{sorry[1]}:80" if sorry and sorry_in_use else None,
        "new_connections": None,
    }
    if service.partition(":")[0] in node.addresses():
        answered = [_is_answered(cluster, client, service) for client in CLIENTS]
        observed["new_connections"] = (
            "refused"
            if not any(answered)
            else "partly refused"
            if not all(answered)
            else "sorry server"
            if sorry_in_use
            else "served"
        )
    predicted = {**t, "real_servers": t["real_servers"]["then"], "weight": t["weight"]["then"]}
    wrong = [f"{k}: {v} instead of {predicted[k]}" for k, v in observed.items() if v is not None and v != predicted[k]]
    if observed["sorry_server"] is None and t["sorry_server"]:
        wrong.append("the sorry server is not in use")
    return {"predicted": t, "observed": observed, "wrong": wrong}


def _is_answered(cluster: Cluster, client: str, service: str) -> bool:
    url = f"http://{service}/"
    return cluster.client(["curl", "-sS", "--interface", client, "--max-time", "3", url]).returncode == 0


def _stable_holders(cluster: Cluster, addresses: list[str]) -> dict[str, list[str]]:
    """Returns the nodes that have each address, once they stay the same for some advert intervals."""
    began = since = time.monotonic()
    last: dict[str, list[str]] = {}
    while True:
        present = {n.address: n.addresses() for n in cluster.nodes}
        now = {a: [name for name, held in present.items() if a in held] for a in addresses}
        if now != last:
            last, since = now, time.monotonic()
        enough = STABLE_INTERVALS * max(cluster.spec.advert_int, 0.25)
        if time.monotonic() - since > enough or time.monotonic() - began > MAX_SECONDS:
            return last
        time.sleep(cluster.spec.advert_int / 2)


def _compared(p: dict[str, Any], node: Node, holders: dict[str, list[str]]) -> dict[str, Any]:
    mine = [a for side in p["vips_here"].values() for a in side or ()] or list(holders)
    here = sorted({a for a in mine if node.address in holders.get(a, [])})
    elsewhere = sorted({h for a in mine for h in holders.get(a, []) if h != node.address})
    observed = {
        "state": _state(node, p["instance"]),
        "vips_here": here,
        "owners_elsewhere": elsewhere,
        "two_owners": any(len(holders.get(a, [])) > 1 for a in mine),
    }
    return {"predicted": p, "observed": observed, "wrong": _wrong(p, observed, node)}


def _state(node: Node, instance: str) -> str | None:
    found = re.findall(rf"\({re.escape(instance)}\) Entering (\w+) STATE", node.log())
    return found[-1] if found else None


def _wrong(p: dict[str, Any], observed: dict[str, Any], node: Node) -> list[str]:
    """Returns the differences between prediction and observation."""
    wrong = []
    then = p["vips_here"]["then"]
    if then is not None and sorted(then) != observed["vips_here"]:
        wrong.append(f"VIPs here: {observed['vips_here']} instead of {then}")
    if p["state"]["then"] and observed["state"] and p["state"]["then"] != observed["state"]:
        wrong.append(f"state: {observed['state']} instead of {p['state']['then']}")
    owner = p["owner_then"]
    if owner and owner != node.address and observed["owners_elsewhere"] and owner not in observed["owners_elsewhere"]:
        wrong.append(f"owner: {observed['owners_elsewhere']} instead of {owner}")
    if p["two_owners"] is not None and p["certainty"] != "unknown" and p["two_owners"] != observed["two_owners"]:
        wrong.append(f"two owners: {observed['two_owners']} instead of {p['two_owners']}")
    return wrong
