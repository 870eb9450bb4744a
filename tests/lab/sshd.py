"""A real sshd in each node's namespace, and the ssh_config that reaches them without a password."""

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
    """As a context manager; ``config`` is a kvtui.toml that names all nodes as hosts."""

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
        """Where the kvtui that is reached there keeps its journal."""
        return self.folder / f"state-{node.name}"

    def start(self, node: Node) -> None:
        """Start the daemon there, and wait until it listens."""
        path = self.folder / f"sshd-{node.name}"
        path.write_text(DAEMON.format(folder=self.folder, state=self.state(node)))
        with inside(node.netns), Path(f"{path}.log").open("wb") as log:
            self._daemons[node.name] = subprocess.Popen([SSHD, "-D", "-e", "-f", str(path)], stderr=log)
        poll(lambda: "listening" in Path(f"{path}.log").read_text(), 30, f"sshd on {node.name}")

    def stop(self, node: Node) -> None:
        """End the daemon; connections that it has go on."""
        if daemon := self._daemons.pop(node.name, None):
            daemon.kill()
            daemon.wait()

    def argv(self, *arguments: str) -> list[str]:
        """The command that runs kvtui with all nodes as hosts."""
        return ["env", f"KVTUI_CONFIG={self.config}", *LAUNCHER, *arguments]
