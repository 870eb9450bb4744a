"""The terminal UI in a real pty on a lab node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from tests.lab.node import Node


def terminal_on(node: Node, *arguments: str) -> PseudoTerminal:
    """Starts kvtui on that node at 80×24, outside keepalived's mount and PID namespaces."""
    prefix = ["ip", "netns", "exec", node.netns, "env", f"NODE_NAME={node.name}"]
    return PseudoTerminal(*arguments, prefix=prefix, env={"KVTUI_STATE_DIR": f"/tmp/kvtui-{node.name}"})
