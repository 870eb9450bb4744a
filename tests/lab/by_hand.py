"""A failover to a chosen node by hand, without kvtui, on a cluster with nopreempt on all nodes.

The operator opens one ssh terminal per node, one after another. Each command waits for the prompt of the previous one.
The operator shows addresses, IPVS table, priorities and log of each node. Then the chosen node gets the highest
priority and the master the lowest, each with a config test, a reload and a check of the log. Then the operator removes
the VIP and shows all nodes until the chosen one has it. Typing, reading and thinking take no time: ``typed`` counts the
characters.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

PROMPT = "prompt>"


class Shell:
    """An ssh session with a shell on a node."""

    def __init__(self, ssh: Sequence[str], node: Node) -> None:
        self._typed: set[str] = set()
        pipe = subprocess.PIPE
        argv = [*ssh, node.name, "sh"]
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self("true")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.communicate("exit\n")

    @property
    def typed(self) -> int:
        """The number of characters typed. A repeated command counts once: the shell's history costs one key."""
        return sum(len(command) + 1 for command in self._typed)

    def __call__(self, command: str) -> str:
        """Returns what the command prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._typed.add(command)
        # stdin is /dev/null because the shell reads the next command from this pipe; some outputs lack a final newline
        self._process.stdin.write(f"{{ {command}; }} </dev/null\nprintf '\\n%s\\n' '{PROMPT}'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()) != f"{PROMPT}\n":
            if not line:
                raise RuntimeError(f"the shell ended at: {command}\n{''.join(lines)}")
            lines.append(line)
        return "".join(lines)


def fail_over_by_hand(cluster: Cluster, ssh: Sequence[str], target: Node) -> int:
    """Makes the target master. Returns how many characters were typed."""
    vip, look = cluster.spec.vips[0], "ip -br addr show eth0"
    ssh = ["ip", "netns", "exec", cluster.network.client, *ssh]  # other clusters have the same addresses
    with ExitStack() as stack:
        shells = {node: stack.enter_context(Shell(ssh, node)) for node in cluster.nodes}
        for node, shell in shells.items():
            shell(f"{look}; ipvsadm -Ln; grep -E 'priority|nopreempt' {node.conf_path}; tail -n 20 {node.log_path}")
        master = cluster.master()  # the operator has just seen it
        highest = 1 + max(cluster.spec.priority(node.index) for node in cluster.nodes)
        for node, priority in ((target, highest), (master, 1)):
            _set_priority(node, shells[node], priority)
        shells[master](f"ip addr del {vip}/32 dev eth0")
        poll(lambda: vip in shells[target](look), 60, f"{vip} on {target.name}", interval=0)
        for node, shell in shells.items():
            shell(f"{look}; ipvsadm -Ln; tail -n 20 {node.log_path}")
    return sum(shell.typed for shell in shells.values())


def _set_priority(node: Node, shell: Shell, priority: int) -> None:
    """Writes the priority, tests the config, reloads, and waits for the end of the reload in the log."""
    reloads, pid = f"grep -cE '{node.version.reload_end}' {node.log_path}", node.keepalived_pid
    before = shell(reloads)
    shell(f"sed -i 's/priority .*/priority {priority}/' {node.conf_path}")
    shell(f"nsenter -t {pid} -m -n -r -w {node.spec.keepalived} -t")
    shell(f"kill -HUP {pid}")
    poll(lambda: shell(reloads) != before, 60, f"the reload of {node.name}", interval=0)
