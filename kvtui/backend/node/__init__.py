from kvtui.backend.node.node import Node

__all__ = ["Node"]
