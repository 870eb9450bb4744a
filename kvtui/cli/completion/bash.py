"""bash, and what zsh shares with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.cli.completion.table import Table

SHARED = r"""
# What can stand for the last word of "$@" (the words after kvtui): a line each, value TAB what it is.
# (In zsh the names `path` and `options` mean something else.)
_kvtui_answer() {
    local at="" kind="" before="" word="" REPLY="" position=0
    local -a given=()
    while (( $# > 1 )); do
        word=$1
        shift
        if [[ -n $kind ]]; then
            kind=""
        elif [[ $word == -?* ]]; then
            if [[ $word != *=* ]] && _kvtui_table "v:$at:$word"; then kind=$REPLY; fi
        elif _kvtui_table "p:$at:$word"; then
            at=$REPLY
        else
            (( position += 1 ))
        fi
        [[ -n $at ]] || given+=("$word")
    done
    word=${1-}
    if [[ -z $kind && $word == --*=* ]] && _kvtui_table "v:$at:${word%%=*}"; then
        kind=$REPLY
        before=${word%%=*}=
    elif [[ -n $kind ]]; then
        :
    elif [[ $word == -* ]]; then
        _kvtui_table "o:$at" && kind=$REPLY
    elif _kvtui_table "c:$at" || _kvtui_table "a:$at:$position"; then
        kind=$REPLY
    fi
    case $kind in
        "" | text) ;;
        file) printf '\tfile\n' ;;
        "="*) _KVTUI_VALUES=${kind#=} "$_kvtui_program" "${given[@]}" </dev/null 2>/dev/null ;;
        *) printf '%s\n' "$kind" ;;
    esac | while IFS="" read -r word; do printf '%s\n' "$before$word"; done
}
"""

BASH = r"""
_kvtui() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} current mark part before="" value _kvtui_program
    local -a words
    # from the line itself: COMP_WORDS would be taken apart at the colons of addresses
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    _kvtui_program=${words[0]}
    current=${words[${#words[@]} - 1]}
    for mark in : =; do  # readline replaces only what follows the last of these
        part=${current%"${current##*"$mark"}"}
        if [[ $COMP_WORDBREAKS == *"$mark"* ]] && (( ${#part} > ${#before} )); then before=$part; fi
    done
    COMPREPLY=()
    while IFS="" read -r value; do
        if [[ $value == *$'\tfile' ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "${current#*=}")
            return
        fi
        value=${value%%$'\t'*}
        [[ $value == "$current"* ]] && COMPREPLY+=("${value#"$before"}")
    done < <(_kvtui_answer "${words[@]:1}")
}

complete -F _kvtui kvtui
"""


def script(table: Table) -> str:
    """The script for bash 4.4 and newer."""
    return f"# bash completion for kvtui, made by `kvtui completion bash`\n{lookup(table)}{SHARED}{BASH}"


def lookup(table: Table) -> str:
    """The table as a function that sets REPLY; keys with the same answer share a branch."""
    keys: dict[str, list[str]] = {}
    for key, answer in table.items():
        keys.setdefault(answer, []).append(key)
    branches = [f"{' | '.join(map(quoted, names))}) REPLY={quoted(answer)} ;;" for answer, names in keys.items()]
    lines = "\n        ".join([*branches, "*) return 1 ;;"])
    return f'\n_kvtui_table() {{\n    case "$1" in\n        {lines}\n    esac\n}}\n'


def quoted(text: str) -> str:
    """A string that bash and zsh take as it is."""
    return "'" + text.replace("'", "'\\''") + "'"
