"""Completion in bash, zsh and fish: typer's engine answers in plain lines, which kvtui's own short scripts read.

The environment variable ``_KVTUI_LINE`` holds the command line up to the cursor. The answer has a line for each value,
``value TAB description``, or the single line ``TAB file`` where a file name is expected.

Typer has scripts of its own. kvtui does not use them: the one for bash splits the line at colons and so loses addresses
with ports; the one for fish starts kvtui twice at each TAB; the one for zsh evaluates text from the node as shell code.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any

# typer 0.28 keeps its copy of click here; pyproject.toml pins the version
from typer._click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from kvtui.cli.completion.values import FILE

MAX_DESCRIPTION = 72
"""Characters: what fits beside a value on a terminal of 100 columns."""

CURSOR = "\0"
"""Marks the end of the line. The environment cannot hold this character, so it is not part of the line."""


class LineComplete(ShellComplete):
    """Click's way to add a shell ("Adding Support for a Shell" in its manual)."""

    name = "lines"
    source_template = ""  # the scripts are in ``scripts``

    def source_vars(self) -> dict[str, Any]:
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        *words, last = split_arg_string(os.environ.get("_KVTUI_LINE", "") + CURSOR)
        return words[1:], last.removesuffix(CURSOR)

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Returns the values as the shell sees the word: ``--output=json`` after ``--output=``."""
        found = super().get_completions(args, incomplete)
        option, equals, _value = incomplete.partition("=")
        if equals and option.startswith("--"):
            for item in found:
                item.value = f"{option}={item.value}"
        return found

    def format_completion(self, item: CompletionItem) -> str:
        """Returns a line. Typer's own classes import rich for this, which costs as much as typer itself."""
        if item.help == FILE:
            return f"\t{FILE}"
        return f"{item.value}\t{shorten(' '.join((item.help or '').split()))}"


def shorten(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else text[:MAX_DESCRIPTION].rsplit(" ", 1)[0] + " ..."


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_BASH = r"""# bash completion for kvtui (bash 4.4 and newer)
_kvtui() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} current before="" part mark value
    # COMP_WORDS is split at the colons of addresses; COMP_LINE is not
    current=${line##*[[:space:]]}
    for mark in : =; do  # readline replaces only the text after the last of these
        part=${current%"${current##*"$mark"}"}
        if [[ $COMP_WORDBREAKS == *"$mark"* ]] && (( ${#part} > ${#before} )); then before=$part; fi
    done
    COMPREPLY=()
    while IFS="" read -r value; do
        [[ -n $value ]] || continue
        if [[ $value == $'\tfile' ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "${current#--*=}")
            return
        fi
        value=${value%%$'\t'*}
        COMPREPLY+=("${value#"$before"}")
    done < <(_KVTUI_COMPLETE=complete_lines _KVTUI_LINE=$line "$1" </dev/null 2>/dev/null)
}

complete -F _kvtui kvtui
"""

_ZSH = r"""#compdef kvtui
# zsh completion for kvtui
_kvtui() {
    local item value description
    local -a values shown
    for item in "${(@f)$(
        _KVTUI_COMPLETE=complete_lines _KVTUI_LINE="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" \
            "${(Q)words[1]}" </dev/null 2>/dev/null
    )}"; do
        [[ -n $item ]] || continue
        value=${item%%$'\t'*} description=${item#*$'\t'}
        if [[ $item == $'\tfile' ]]; then
            compset -P '--*='
            _files
            return
        fi
        values+=("$value")
        shown+=("$value${description:+  -- $description}")
    done
    compadd -l -d shown -a values
}

if [[ $funcstack[1] == _kvtui ]]; then
    _kvtui "$@"
else
    compdef _kvtui kvtui
fi
"""

# fish 4 takes "?" in patterns literally, fish 3 does not: no pattern here has one
_FISH = r"""# fish completion for kvtui (fish 3.1 and newer)
function __kvtui_complete
    set -l program (commandline -opc)[1]
    set -l line (commandline -cp | string collect)
    set -l found (env _KVTUI_COMPLETE=complete_lines _KVTUI_LINE="$line" $program </dev/null 2>/dev/null)
    if test "$found" = \tfile
        set -l word (commandline -ct)
        set -l option (string match -r -- '^--[^=]*=' $word)
        string replace -r '^' -- "$option" (__fish_complete_path (string replace -r '^--[^=]*=' '' -- $word))
    else
        string match -v -- '' $found
    end
end

complete -c kvtui -f -a '(__kvtui_complete)'
"""

SCRIPTS = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}
