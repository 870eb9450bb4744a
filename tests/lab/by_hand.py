"""A failover to a chosen node as an operator does it without kvtui, with nopreempt everywhere.

What is modelled: a terminal with ssh for each node, opened one after another; each command waits for the prompt of the
one before. Looking at each node (addresses, IPVS, priorities, log), the higher priority on the chosen node and the
lowest on the master, each with a config test, a reload and a look at the log; then the VIP is removed, and all nodes
are looked at until the chosen one has it. Typing, reading and thinking take no time: ``typed`` counts the characters.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

PROMPT = "prompt>"


class Shell:
    """A shell on a node by ssh; ``typed``: how many characters it was given."""

    def __init__(self, ssh: Sequence[str], node: Node) -> None:
        self.typed = 0
        pipe = subprocess.PIPE
        argv = [*ssh, node.name, "sh"]
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self("true")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.communicate("exit\n")

    def __call__(self, command: str) -> str:
        """Returns what the command prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.typed += len(command) + 1
        self._process.stdin.write(f"{command}\necho '{PROMPT}'\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, f"{PROMPT}\n")
        return "".join(line for line in lines if line or self._process.wait())


def fail_over_by_hand(cluster: Cluster, ssh: Sequence[str], target: Node) -> int:
    """Makes the target master. Returns how many characters were typed."""
    vip = cluster.spec.vips[0]
    shells: dict[Node, Shell] = {}
    for node in cluster.nodes:
        shells[node] = Shell(ssh, node)
    for node, shell in shells.items():
        shell("ip -br addr show eth0; ipvsadm -Ln")
        shell(f"grep -E 'priority|nopreempt' {node.conf_path}; tail -n 20 {node.log_path}")
    master = next(node for node, shell in shells.items() if vip in shell("ip -br addr show eth0"))
    highest = 1 + max(cluster.spec.priority(node.index) for node in cluster.nodes)
    for node, priority in ((target, highest), (master, 1)):
        _set_priority(node, shells[node], priority)
    shells[master](f"ip addr del {vip}/32 dev eth0")
    while vip not in shells[target]("ip -br addr show eth0"):
        pass
    for node, shell in shells.items():
        shell(f"ip -br addr show eth0; tail -n 20 {node.log_path}")
    shells[target]("ipvsadm -Ln")
    for shell in shells.values():
        with shell:
            pass
    return sum(shell.typed for shell in shells.values())


def _set_priority(node: Node, shell: Shell, priority: int) -> None:
    pid, before = node.keepalived_pid, node.log().count("Reload complete")
    shell(f"sed -i 's/priority .*/priority {priority}/' {node.conf_path}")
    shell(f"nsenter -t {pid} -m -n -r -w keepalived -t")
    shell(f"kill -HUP {pid}")
    while shell(f"tail -n 200 {node.log_path}") and node.log().count("Reload complete") == before:
        pass
