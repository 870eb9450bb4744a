"""Shell completion: scripts that know the commands by heart, and a quick way to ask the node for names.

Typer's own scripts start kvtui at every TAB (0.3 s and more, measured), and lose addresses with ports, which bash takes
apart at the colon. These are made of the commands themselves by ``kvtui completion SHELL``.
"""

from __future__ import annotations

from enum import StrEnum


class Shell(StrEnum):
    """Shells that completions are made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def script(shell: Shell) -> str:
    """The completion script of a shell."""
    from kvtui.cli.completion import bash, fish, zsh  # noqa: PLC0415 - `values` answers a TAB and needs none of them
    from kvtui.cli.completion.table import table  # noqa: PLC0415 - as above

    made = {Shell.BASH: bash.script, Shell.ZSH: zsh.script, Shell.FISH: fish.script}
    return made[shell](table())
