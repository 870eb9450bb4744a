"""The terminal UI on a real pty with a real HTTP API: edits, an API that becomes unreachable, a missing right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.objects import Object
    from tests.kube.real import RealCluster

VIP = "10.4.0.50"
WIDE = (119, 30)
"""At this width the chain of the selected entry is below the table; from 120 columns on it is at its right."""
LONG_INTERVAL = "3600"
"""Seconds between readings of everything else: only the API's events change the screen."""


def on_screen(cluster: FakeCluster | RealCluster, folder: Path, *, interval: str = LONG_INTERVAL) -> PseudoTerminal:
    """Starts the terminal UI with that API, on screen 4."""
    path = cluster.kubeconfig(folder / "kubeconfig") if isinstance(cluster, FakeCluster) else cluster.place.paths
    options = ("--interval", interval, "--kubeconfig", str(path), "--configmap", f"{cluster.namespace}/vip-configmap")
    terminal = PseudoTerminal("--read-only", *options, size=WIDE)
    terminal.press("4")
    return terminal


def watches(cluster: FakeCluster | RealCluster, *plurals: str) -> bool:
    """Whether kvtui watches these kinds; always true on a real cluster, which does not record requests."""
    if not isinstance(cluster, FakeCluster):
        return True
    return set(plurals) <= {r.path.rpartition("/")[2] for r in cluster.requests if "watch" in r.params}


def edit(terminal: PseudoTerminal, cluster: FakeCluster | RealCluster, obj: Object, plural: str, *texts: str) -> None:
    """Changes an object. The watch brings its texts to the screen, without a new list; bench_kube measures the time."""
    assert not any(t in terminal.text for t in texts)
    before = len(cluster.requests) if isinstance(cluster, FakeCluster) else 0
    cluster.put(obj)
    terminal.shows(*texts)
    if isinstance(cluster, FakeCluster):
        assert not [r for r in cluster.requests[before:] if r.path.endswith(plural)]


def test_an_edit_of_configmap_service_or_slice_reaches_the_screen_by_the_watch(
    cluster: FakeCluster | RealCluster, tmp_path: Path
) -> None:
    ns = cluster.namespace
    one, two = objects.endpoint("10.2.68.5"), objects.endpoint("10.2.68.6")
    cluster.put(
        objects.configmap({VIP: f"{ns}/nginx"}, ns),
        objects.service("nginx", ns, ((80, 8080),), selector={}),
        objects.endpointslice("nginx", one, two, namespace=ns, port=8080),
    )
    with on_screen(cluster, tmp_path) as terminal:
        terminal.shows(f"{ns}/nginx 80/TCP to targetPort 8080", "2 ready: 10.2.68.5:8080")
        terminal.until(lambda: watches(cluster, "configmaps", "services", "endpointslices"), "kvtui watches")
        more = objects.configmap({VIP: f"{ns}/nginx", "10.4.0.51": f"{ns}/nginx:DR"}, ns)
        edit(terminal, cluster, more, "configmaps", "10.4.0.51", " DR ")
        edit(terminal, cluster, objects.service("nginx", ns, ((8081, 8080),), selector={}), "services", "8081/TCP")
        unready = objects.endpoint("10.2.68.6", ready=False)
        slice_ = objects.endpointslice("nginx", one, unready, namespace=ns, port=8080)
        edit(terminal, cluster, slice_, "endpointslices", " 1/2 ", "1 ready: 10.2.68.5:8080; 1 not ready: 10.2.68.6")


def responds(terminal: PseudoTerminal, key: str, *texts: str) -> None:
    """The screen responds to a key in every state of the API."""
    terminal.press(key)
    terminal.shows(*texts)


def age(terminal: PseudoTerminal) -> int:
    """Returns the API's age in seconds from the panel of the sources; 0 without one."""
    found = re.search(r"kubernetes: degraded, read (\d+)s ago", terminal.text)
    return int(found[1]) if found else 0


def test_the_api_becomes_unreachable_and_returns(fake: FakeCluster, tmp_path: Path) -> None:
    """The API refuses connections, later it sends nothing. Keys still work and old data is marked as old."""
    fake.put(*objects.tutorial())
    with on_screen(fake, tmp_path, interval="1") as terminal:
        terminal.shows("2 ready: nginx-1 on node-a")
        terminal.until(lambda: "? k8s" not in terminal.text, "the API is OK")
        with fake.outage():
            terminal.shows("? k8s", "may be outdated: 127.0.0.1", "2 ready: nginx-1 on node-a")
            responds(terminal, "i", "─ Sources ─", "refuses connections", "kubernetes: degraded, read")
            terminal.until(lambda: age(terminal) >= 5, "it is some seconds old")
            responds(terminal, "\x1b", "default/nginx by NAT")
            responds(terminal, "2", "INSTANCE / PEER")
            responds(terminal, "4", "FIRST BREAK, NOTES")
            responds(terminal, "i", "─ Sources ─")
            terminal.until(lambda: age(terminal) >= 10, "it grows older")
            terminal.press("esc")
        fake.put(objects.endpointslice("nginx", objects.endpoint("10.2.68.9"), port=8080))
        terminal.until(lambda: "? k8s" not in terminal.text, "the API answers again")
        terminal.shows("1 ready: 10.2.68.9:8080")  # the change during the outage
        terminal.until(lambda: "may be outdated" not in terminal.text, "no data is marked as outdated")
        with fake.frozen():
            responds(terminal, "2", "INSTANCE / PEER")
            responds(terminal, "4", "1 ready: 10.2.68.9:8080")


def test_a_missing_right_degrades_one_layer_only(fake: FakeCluster, tmp_path: Path) -> None:
    """Missing from the start: the layer is unknown. Removed while kvtui runs: the layer may be outdated."""
    fake.put(*objects.tutorial())
    fake.forbid("endpointslices")
    with on_screen(fake, tmp_path) as terminal:
        terminal.shows("? k8s", "CM─Svc─? EP", "✓ ConfigMap ", "✓ Service ", "? endpoints ")
        terminal.until(lambda: watches(fake, "services"), "kvtui watches")
        terminal.shows("endpointslices were not read: no right to list endpointslices.discovery.k8s.io")
        edit(terminal, fake, objects.service("nginx", ports=((8081, 8080),)), "services", "8081/TCP")
    fake.allow("endpointslices")
    with on_screen(fake, tmp_path) as terminal:
        terminal.until(lambda: "? k8s" not in terminal.text, "all can be read")
        terminal.shows("✓ endpoints       2 ready")
        fake.forbid("endpointslices")
        terminal.shows("? k8s", "✓ endpoints       2 ready", "(may be outdated:")
        terminal.press("i")
        terminal.shows("kubernetes: degraded", "endpointslices: no right to", "kubectl create role")
        terminal.press("esc")
        edit(terminal, fake, objects.service("nginx", ports=((8082, 8080),)), "services", "8082/TCP")
