"""A real sshd in each node's namespace, and an ssh_config to reach them without a password."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.lab.inside import inside
from tests.lab.poll import poll

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

SSHD, LAUNCHER = "/usr/sbin/sshd", (sys.executable, "-m", "kvtui")
DAEMON = """
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
SetEnv KVTUI_STATE_DIR={state} KVTUI_DEBUG={state}.log
"""
CLIENT = """
Host *
  User root
  IdentityFile {folder}/client
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


class Sshd:
    """Runs the sshds as a context manager; ``config`` is a kvtui.toml with all nodes as hosts."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.config = folder / "kvtui.toml"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        Path("/run/sshd").mkdir(exist_ok=True)
        for name in ("host", "client"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        hosts = "".join(f"Host {n.name}\n  HostName {n.address}\n" for n in self.cluster.nodes)
        (self.folder / "ssh_config").write_text(hosts + CLIENT.format(folder=self.folder))
        names = ", ".join(f'"{n.name}"' for n in self.cluster.nodes)
        self.config.write_text(
            f'[cluster]\nhosts = [{names}]\nssh = "ssh -F {self.folder}/ssh_config"\ncommand = "{" ".join(LAUNCHER)}"\n'
        )
        for node in self.cluster.nodes:
            self.start(node)
        return self

    def __exit__(self, *_exc: object) -> None:
        for node in self.cluster.nodes:
            self.stop(node)

    def state(self, node: Node) -> Path:
        """Returns the state folder of that node's kvtui."""
        return self.folder / f"state-{node.name}"

    def start(self, node: Node) -> None:
        """Starts the node's sshd and waits until it listens."""
        path = self.folder / f"sshd-{node.name}"
        path.write_text(DAEMON.format(folder=self.folder, state=self.state(node)))
        with inside(node.netns), Path(f"{path}.log").open("wb") as log:
            self._daemons[node.name] = subprocess.Popen([SSHD, "-D", "-e", "-f", str(path)], stderr=log)
        poll(lambda: "listening" in Path(f"{path}.log").read_text(), 30, f"sshd on {node.name}")

    def stop(self, node: Node) -> None:
        """Kills the node's sshd; its open connections continue."""
        if daemon := self._daemons.pop(node.name, None):
            daemon.kill()
            daemon.wait()

    def argv(self, *arguments: str) -> list[str]:
        """Returns the command that runs kvtui with all nodes as hosts."""
        return ["env", f"KVTUI_CONFIG={self.config}", *LAUNCHER, *arguments]
