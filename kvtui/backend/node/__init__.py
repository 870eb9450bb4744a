"""The live node: the backends put together into one snapshot after another."""

from kvtui.backend.node.node import Node

__all__ = ["Node"]
