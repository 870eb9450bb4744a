"""A keepalived-vip cluster in the lab's kernel: nodes, real servers, a client with traffic. Runs in the guest.

    python -m tests.lab.cluster [--unicast] [--nopreempt] [--method NAT] [--ipv6] … -- COMMAND…

A node is a network namespace. Its keepalived runs in its own mount and PID namespaces, as a hostNetwork pod does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.lab.inside import run_inside
from tests.lab.network import LabNetwork
from tests.lab.node import Node
from tests.lab.poll import poll
from tests.lab.spec import CLIENT6, CLIENTS, ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASE = Path("/run/lab")
STUCK = 5.0
"""An established connection of the traffic without a packet for so many seconds is stuck."""
SILENT = 1.0
"""A connection without a packet for so many seconds may be stuck."""


class Cluster:
    """Starts a cluster with `up` and stops it with `down`; a context manager calls both."""

    def __init__(
        self, spec: ClusterSpec | None = None, *, prefix: str = "", progress: Callable[[str], None] | None = None
    ) -> None:
        self.spec = spec or ClusterSpec()
        self.network = LabNetwork(self.spec, prefix)
        self.folder = BASE / (prefix.rstrip("-") or "default")
        self.progress = progress or (lambda _text: None)
        self.nodes = [Node(self.spec, index, netns, self.folder) for index, netns in enumerate(self.network.nodes)]
        self._services: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.down()

    def up(self) -> None:
        """Builds the cluster; returns when one MASTER has every VIP and every service answers the client."""
        self.progress("network: a bridge, nodes, real servers, a client")
        self.network.up()
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in ("pids.json", "go", "traffic.json", "targets.json"):  # left by an earlier cluster with this prefix
            (self.folder / stale).unlink(missing_ok=True)
        for node in self.nodes:
            node.prepare()
        self.progress("real servers and traffic")
        self._start_services()
        self.progress(f"keepalived on {', '.join(node.name for node in self.nodes)}")
        by_priority = sorted(self.nodes, key=lambda node: self.spec.priority(node.index), reverse=True)
        for node in by_priority:  # the best one first avoids a second election
            node.launch()
        for node in by_priority:
            node.wait_started()
        self.progress("election")
        self.wait_settled()
        self.progress(f"{self.master().name} is MASTER; health checks, then one request to each VIP")
        poll(self.is_pristine, 30, self.describe)
        for service in self.spec.all_services:
            self.wait_for_answer(service.vip, service.port)
        (self.folder / "go").touch()  # earlier traffic would leave half-open connections, which wlc counts
        if self.spec.requests_per_second:
            poll(self.traffic, 20, "the first request of the traffic")

    def _start_services(self) -> None:
        servers = [(f"rs-{number + 1}", netns, 80) for number, netns in enumerate(self.network.servers)]
        targets = [(s.vip, s.port, [CLIENT6] if s.is_ipv6 else CLIENTS) for s in self.spec.all_services]
        plan = {
            "folder": str(self.folder),
            "servers": servers,
            "client": self.network.client,
            "rate": self.spec.requests_per_second,
        }
        (self.folder / "plan.json").write_text(json.dumps(plan))
        chosen = self.folder / "targets.json"
        if not chosen.exists():  # in a lab with an API, story/api.py writes it
            chosen.write_text(json.dumps(targets))
        script = Path(__file__).with_name("services.py")
        argv = [sys.executable, "-I", "-S", str(script), str(self.folder / "plan.json")]
        with (self.folder / "services.log").open("ab") as log:
            self._services = subprocess.Popen(argv, stdout=log, stderr=log)
        poll((self.folder / "pids.json").exists, 20, "the real servers")

    def down(self) -> None:
        """Stops all processes and removes the namespaces."""
        for node in self.nodes:
            node.kill()
        if self._services is not None:
            self._services.kill()
            self._services.wait()
            self._services = None
        self.network.down()

    def node(self, name: str) -> Node:
        """Returns the node with this name, such as node-a."""
        return next(node for node in self.nodes if node.name == name)

    def holders(self, vip: str | None = None) -> list[Node]:
        """Returns all nodes whose interface has the VIP (default: the first VIP)."""
        return [node for node in self.nodes if (vip or self.spec.vips[0]) in node.addresses()]

    def master(self, vip: str | None = None) -> Node:
        """Returns the node that has the VIP; fails unless exactly one has it."""
        holders = self.holders(vip)
        if len(holders) != 1:
            raise AssertionError(f"{vip or self.spec.vips[0]} is held by {[node.name for node in holders] or 'nobody'}")
        return holders[0]

    def wait_for_master(
        self, vip: str | None = None, timeout: float = 20, *, among: Sequence[Node] | None = None
    ) -> Node:
        """Waits until exactly one node has the VIP (one of `among`, if given), and returns it."""

        def holder() -> Node | None:
            holders = self.holders(vip)
            return holders[0] if len(holders) == 1 and (among is None or holders[0] in among) else None

        return poll(
            holder,
            timeout,
            lambda: f"one holder of {vip or self.spec.vips[0]}; now {[n.name for n in self.holders(vip)]}",
        )

    def wait_settled(self, timeout: float = 30) -> None:
        """Waits until exactly one node has each VIP: the one of highest priority, if nodes preempt."""
        among = [self.node(self.spec.best())] if self.spec.preempt else None
        deadline = time.monotonic() + timeout
        for vip in self.spec.vips:
            self.wait_for_master(vip, max(1.0, deadline - time.monotonic()), among=among)

    def heal(self) -> None:
        """Undoes what a test changed: stopped or reconfigured nodes, drained servers. Cheap if nothing changed."""
        self._restart_services()
        changed = [node for node in self.nodes if not node.is_pristine()]
        for node in changed:
            node.restart_afresh(self.spec.vips)
        self.wait_settled()
        if changed:
            poll(self.is_pristine, 30, self.describe)

    def has_stuck_connections(self) -> bool:
        """Whether a node counts a connection as active that has ended.

        A node that loses the VIP during a request never sees its end, and counts the connection for 15 minutes. A real
        server that returns to the table gets its old count back. wlc sends that server nothing meanwhile: one active
        connection weighs as much as 256 inactive ones. Requests of the traffic take milliseconds.
        """
        while True:
            longest = max((seen for node in self.nodes for seen in node.silent_for()), default=0.0)
            if not SILENT < longest <= STUCK:
                return longest > STUCK
            time.sleep(STUCK / 10)  # within STUCK it goes on, ends, or proves to be stuck

    def is_pristine(self) -> bool:
        """Whether every node runs with the spec's config and has all its real servers up."""
        return all(node.is_pristine() for node in self.nodes)

    def describe(self) -> str:
        """Returns logs and tables that show why the cluster is not pristine."""
        parts = [f"real servers\n{(self.folder / 'services.log').read_text()}"]
        parts += [f"{node}\n{node.ipvs()}\n{node.log()[-3000:]}" for node in self.nodes if not node.is_pristine()]
        return "\n".join(parts)

    def _restart_services(self) -> None:
        if any(not Path(f"/proc/{pid}/cmdline").exists() for pid in self.pids().values()):
            if self._services is not None:
                self._services.kill()
                self._services.wait()
            (self.folder / "pids.json").unlink()
            self._start_services()

    def pids(self) -> dict[str, int]:
        """Returns the PIDs of rs-1 … rs-5, and of `traffic`."""
        got: dict[str, int] = json.loads((self.folder / "pids.json").read_text())
        return got

    def traffic(self) -> dict[str, int]:
        """Returns the number of answers of each real server to the traffic, and of `failed` requests."""
        report = self.folder / "traffic.json"
        got: dict[str, int] = json.loads(report.read_text()) if report.exists() else {}
        return got

    def client(self, argv: Sequence[str], *, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a command on the client."""
        return run_inside(self.network.client, argv, timeout=timeout)

    def wait_for_answer(self, vip: str | None = None, port: int = 80, timeout: float = 10) -> str:
        """Requests a VIP until a real server answers, and returns its name."""
        return poll(lambda: self.curl(vip, port), timeout, f"an answer from {vip or self.spec.vips[0]}")

    def curl(self, vip: str | None = None, port: int = 80) -> str:
        """Requests a VIP from the client, and returns the name of the real server that answered, or an empty string."""
        host = vip or self.spec.vips[0]
        url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        return self.client(["curl", "-sS", "-g", "--max-time", "2", url]).stdout.strip()


def parse(argv: Sequence[str] | None = None) -> tuple[ClusterSpec, list[str]]:
    """Parses command-line options into a spec and a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--unicast", action="store_true")
    parser.add_argument("--nopreempt", action="store_true")
    parser.add_argument("--method", choices=("DR", "NAT", "TUN"), default="DR")
    parser.add_argument("--vrrp-version", type=int, choices=(2, 3), default=3)
    parser.add_argument("--advert-int", type=float, default=1)
    parser.add_argument("--persistence", type=int, default=0)
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(argv)
    spec = ClusterSpec(
        nodes=options.nodes,
        unicast=options.unicast,
        preempt=not options.nopreempt,
        method=options.method,
        vrrp_version=options.vrrp_version,
        persistence=options.persistence,
        ipv6=options.ipv6,
        advert_int=options.advert_int,
    )
    return spec, options.command


def main() -> int:
    """Builds a cluster and runs the command in the guest's root namespace. The cluster ends with the kernel."""
    spec, argv = parse()
    began = time.monotonic()
    Cluster(spec, progress=lambda text: print(f"lab {time.monotonic() - began:5.1f} s  {text}", file=sys.stderr)).up()
    return subprocess.run(argv, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
