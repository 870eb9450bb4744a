"""The kvtui container of packaging/kubernetes/sidecar, in the pod of one of the lab's nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.node import Node

PROJECT = Path(__file__).parents[2]
PATCH = PROJECT / "packaging" / "kubernetes" / "sidecar" / "daemonset.yaml"
RUNTIME = Path(__file__).with_name("container.py")
PATH = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"


def pod_spec() -> dict[str, Any]:
    """Returns the pod's spec from the patch."""
    spec: dict[str, Any] = yaml.safe_load(PATCH.read_text())["spec"]["template"]["spec"]
    return spec


@dataclass(frozen=True)
class Sidecar:
    """The kvtui container in a node's pod. Each command runs in a new container, as after a restart.

    Args:
        node: The pod's node.
        without: Capabilities of the manifest that the container does not get.
    """

    node: Node
    without: tuple[str, ...] = ()

    @property
    def capabilities(self) -> list[str]:
        """The manifest's capabilities, except those in ``without``."""
        [container] = pod_spec()["containers"]
        named: list[str] = container["securityContext"]["capabilities"]["add"]
        return [name for name in named if name not in self.without]

    def folder_of(self, volume: str) -> Path:
        """Returns the lab's folder for a volume of the pod."""
        return self.node.folder / "volumes" / volume

    def argv(self, command: Sequence[str]) -> list[str]:
        """Returns the command line that runs a command in the container, from outside the pod."""
        pod = pod_spec()
        [container] = pod["containers"]
        security = container["securityContext"]
        assert security["capabilities"]["drop"] == ["ALL"]
        assert pod["hostNetwork"]
        assert pod["shareProcessNamespace"]
        mounts = {}
        for mount in container["volumeMounts"]:
            folder = self.folder_of(mount["name"])
            folder.mkdir(parents=True, exist_ok=True)
            mounts[mount["mountPath"]] = str(folder)
        spec = {
            "capabilities": self.capabilities,
            "uid": security["runAsUser"],
            "gid": security["runAsGroup"],
            "read_only": security["readOnlyRootFilesystem"],
            "no_new_privileges": not security["allowPrivilegeEscalation"],
            "seccomp": security["seccompProfile"]["type"] == "RuntimeDefault",
            "mounts": mounts,
            "environment": {"PATH": PATH, "PYTHONDONTWRITEBYTECODE": "1", **self._environment(container)},
        }
        namespaces = ["nsenter", "-t", str(self.node.keepalived_pid), "-n", "-p"]
        own = ["unshare", "-m", "--propagation", "private"]
        runtime = [sys.executable, "-I", "-S", str(RUNTIME), json.dumps(spec)]
        return [*namespaces, *own, *runtime, *command]

    def _environment(self, container: dict[str, Any]) -> dict[str, str]:
        fields = {"spec.nodeName": self.node.name, "metadata.name": "vip-x7k2p", "metadata.namespace": "default"}
        return {e["name"]: fields[e["valueFrom"]["fieldRef"]["fieldPath"]] for e in container["env"]}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command and waits for it."""
        return subprocess.run(self.argv(command), capture_output=True, text=True, check=False, timeout=300)

    def kvtui(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs kvtui as `kubectl exec POD -c kvtui -- kvtui …` does."""
        return self.run(sys.executable, "-m", "kvtui", *arguments)

    def status(self, *options: str) -> dict[str, Any]:
        """Returns the JSON document of `kvtui status`."""
        done = self.kvtui(*options, "status", "-o", "json")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document
