"""A built-in three-node cluster to try kvtui on, without a node or permissions."""

from kvtui.backend.demo.source import Demo

__all__ = ["Demo"]
