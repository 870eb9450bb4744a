"""Shell completion by typer: its engine finds the values, short scripts hand the typed line over and show them."""

from __future__ import annotations

from enum import StrEnum


class Shell(StrEnum):
    """Supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
