"""Command-line flags of keepalived-vip's controllers, parsed like Go's pflag does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BOOLEAN_FLAGS = frozenset(
    {
        "alsologtostderr",
        "help",
        "logtostderr",
        "proxy-protocol-mode",
        "release-vips",
        "use-kubernetes-cluster-service",
        "use-unicast",
    }
)
"""pflag sets a bare boolean flag to ``true`` and never takes the next word as its value."""
TRUE_VALUES = frozenset({"1", "t", "T", "TRUE", "true", "True"})


def parse_flags(argv: Sequence[str]) -> dict[str, str]:
    flags: dict[str, str] = {}
    words = iter(argv[1:])
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            name, joined, value = word[2:].partition("=")
            flags[name] = value if joined else "true" if name in BOOLEAN_FLAGS else next(words, "")
    return flags


def is_true(flags: dict[str, str], name: str) -> bool:
    return flags.get(name, "false") in TRUE_VALUES
