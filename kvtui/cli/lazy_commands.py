"""Imports and builds only the command that was typed: Typer builds every registered command at each start."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

HELP = frozenset({"-h", "--help"})
PARTS = (
    ("status vrrp vips ipvs top mappings trace render triage cluster", "view_commands"),
    ("reload check drain undrain priority failover undo journal", "act_commands"),
    ("config schema completion", "self_commands"),
)
"""Names of commands and the module that registers them, in the order of the help."""


def add_commands(app: typer.Typer, words: Sequence[str]) -> None:
    """Registers the commands that occur among the words; all of them if the command line may list them.

    To import and build all commands takes 30 ms, more than Python itself takes to start. Options alone start the
    terminal UI, which needs none.
    """
    typed = frozenset(words)
    wanted = [module for names, module in PARTS if not typed.isdisjoint(names.split())]
    lists_all = bool(typed & HELP) or not (wanted or all(word.startswith("-") for word in words))
    for module in [module for _, module in PARTS] if lists_all else wanted:
        import_module(f"kvtui.cli.{module}").add_to(app)
    if not lists_all:
        app.registered_commands = [c for c in app.registered_commands if getattr(c.callback, "__name__", "") in typed]
        app.registered_groups = [group for group in app.registered_groups if group.name in typed]
