"""The lab that a person sees: three nodes whose keepalived.conf a controller writes, from the lab's own API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kube import objects
from tests.lab.cluster import Cluster
from tests.lab.inside import inside
from tests.lab.network import LabNetwork
from tests.lab.node import MOUNT_ALL, Node, children, comm
from tests.lab.poll import poll
from tests.lab.spec import CLIENTS, GATEWAY, ClusterSpec, real4
from tests.lab.story import client, world

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SPEC = ClusterSpec(preempt=False, advert_int=1, method="NAT", persistence=1800, services=(), requests_per_second=6)
"""As keepalived-vip's template; the VIPs and their servers are the controller's business."""
BEST = "node-c"
"""The node with the highest address: keepalived-vip gives it the highest priority."""
NEAR = ("10.4.0.48/29", "10.4.0.56/30", "10.4.0.61/32", "10.4.0.62/31", "10.4.0.64/27")
"""Addresses that may become VIPs with direct routing: each real server takes them for its own, but says so to nobody.
10.4.0.60 is not among them: through it go the answers of what came by NAT."""
CONTROLLER = f"""{MOUNT_ALL}
export LAB_ROOT="$2" LAB_KEEPALIVED="$3"
shift 3
exec -a kube-keepalived-vip "$@"
"""


class LiveNetwork(LabNetwork):
    """One more namespace for the API; real servers that answer for any VIP, by NAT and by direct routing."""

    def __init__(self, spec: ClusterSpec, prefix: str = "") -> None:
        super().__init__(spec, prefix)
        self.api = f"{prefix}api"

    @property
    def namespaces(self) -> list[str]:
        """All of them."""
        return [*super().namespaces, self.api]

    def up(self) -> None:
        """Create everything."""
        super().up()
        self._configure(self.api, {}, [f"addr add {client.HOST}/24 dev eth0"])

    def _server_sysctls(self) -> dict[str, str]:
        return super()._server_sysctls() | {"net/ipv4/conf/all/arp_ignore": "1", "net/ipv4/conf/all/arp_announce": "2"}

    def _server_lines(self, number: int) -> list[str]:
        """By direct routing the answer's source is the VIP; by NAT it is the server's own, and must pass the node."""
        back = [
            f"route add {client_address}/32 via {world.GATEWAY_VIP} table 100" for client_address in (*CLIENTS, GATEWAY)
        ]
        local = [f"route add local {prefix} dev lo" for prefix in NEAR]
        return [*super()._server_lines(number), *local, f"rule add from {real4(number)} lookup 100", *back]


class LiveNode(Node):
    """A node whose pod has the controller as its main process, and keepalived as that one's child."""

    def prepare(self) -> None:
        """Make the folders that the pod mounts; the controller writes keepalived.conf."""
        super().prepare()
        self.conf_path.unlink()
        notify = Path(self.spec.root, "keepalived-check.sh")  # as in keepalived-vip's image
        notify.write_text("#!/bin/sh\necho $3 >/var/run/keepalived.state\n")
        notify.chmod(0o755)

    def pod_argv(self) -> list[str]:
        """The command that runs the pod in the foreground."""
        namespace, name = objects.CONFIGMAP
        env = ["env", "POD_NAMESPACE=default", f"POD_NAME=kube-keepalived-vip-{self.name}"]
        pod = ["bash", "-c", CONTROLLER, "pod", str(self.mounts), self.spec.root, self.spec.keepalived]
        python = [sys.executable, "-S", "-m", "tests.lab.story.controller"]
        flags = [f"--services-configmap={namespace}/{name}", "--vrid=50", "--iface=eth0", "--http-port=8080"]
        return [*self.namespaces(), *env, *pod, *python, *flags, "--release-vips"]

    def _find_keepalived(self) -> int:
        """Pid of the pod's PID 1, the controller, once its keepalived has children."""
        if self._pod is None or self._pod.poll() is not None:
            raise RuntimeError(f"{self.name}: the pod ended at once\n{self.log()}")
        main = next(iter(children(self._pod.pid)), 0)
        return main if any(comm(pid) == "keepalived" and children(pid) for pid in children(main)) else 0


class LiveLab(Cluster):
    """The cluster with its API and controllers; ``up`` returns before the first election."""

    def __init__(self, *, prefix: str = "", progress: Callable[[str], None] | None = None) -> None:
        super().__init__(SPEC, prefix=prefix, progress=progress)
        self.network: LiveNetwork = LiveNetwork(self.spec, prefix)
        self.nodes: Sequence[LiveNode] = [  # type: ignore[assignment]
            LiveNode(self.spec, node.index, node.netns, self.folder) for node in self.nodes
        ]
        self._api: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        """For kubectl and kvtui; there once the API serves."""
        return self.folder / "kubeconfig"

    def up(self) -> None:
        """Start everything; the controllers and keepalived then do as they do."""
        self.progress("network: a bridge, nodes, real servers, a client")
        self.network.up()
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in ("pids.json", "go", "traffic.json", "kubeconfig"):
            (self.folder / stale).unlink(missing_ok=True)
        (self.folder / "targets.json").write_text("[]")
        self._start_api()
        for node in self.nodes:
            node.prepare()
        self.progress("real servers")
        self._start_services()
        self.progress("Kubernetes API")
        poll(self.kubeconfig.exists, 30, lambda: f"the lab's API\n{(self.folder / 'api.log').read_text()}")
        self.progress(f"keepalived-vip on {BEST}, then on the other nodes")
        first = self.node(BEST)
        first.launch()
        first.wait_started()
        for node in self.nodes:
            if node is not first:
                node.launch()

    def _start_api(self) -> None:
        nodes = {node.name: node.address for node in self.nodes}
        (self.folder / "world.json").write_text(json.dumps({"nodes": nodes, "sources": CLIENTS}))
        argv = [sys.executable, "-m", "tests.lab.story.api", str(self.folder)]
        with inside(self.network.api), (self.folder / "api.log").open("ab") as log:
            self._api = subprocess.Popen(argv, stdout=log, stderr=log)

    def begin_traffic(self) -> None:
        """Let the client ask, as soon as somebody can answer."""
        for node in self.nodes:
            node.wait_started()
        self.wait_for_master(world.VIP, 60)
        (self.folder / "go").touch()

    def down(self) -> None:
        """Stop everything and remove the namespaces."""
        if self._api is not None:
            self._api.kill()
            self._api.wait()
            self._api = None
        super().down()
