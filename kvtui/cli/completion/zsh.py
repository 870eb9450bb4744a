"""zsh: bash's table and walk, and zsh's way to show what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.cli.completion.bash import SHARED, lookup

if TYPE_CHECKING:
    from kvtui.cli.completion.table import Table

ZSH = r"""
_kvtui() {
    local line value what _kvtui_program=${(Q)words[1]}
    local -a values shown
    for line in "${(@f)$(_kvtui_answer "${(@)words[2,CURRENT]}")}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*} what=${line#*$'\t'}
        if [[ $what == file ]]; then
            compset -P '*='
            _files
            return
        fi
        values+=("$value")
        shown+=("$value${what:+  -- $what}")
    done
    compadd -l -d shown -a values
}

if [[ $funcstack[1] == _kvtui ]]; then
    _kvtui "$@"
else
    compdef _kvtui kvtui
fi
"""


def script(table: Table) -> str:
    """The script: as a file ``_kvtui`` in ``$fpath``, or for ``eval``."""
    return f"#compdef kvtui\n# zsh completion for kvtui, made by `kvtui completion zsh`\n{lookup(table)}{SHARED}{ZSH}"
