"""A built-in three-node cluster to learn kvtui on: no node, no rights, nothing that can break."""

from kvtui.backend.demo.source import Demo

__all__ = ["Demo"]
