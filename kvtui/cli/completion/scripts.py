"""The scripts for bash, zsh and fish: they pass the typed line to kvtui and show what it answers.

Typer has scripts of its own. kvtui does not use them: the one for bash splits the line at colons and so loses addresses
with ports; the one for fish starts kvtui twice at each TAB; the one for zsh evaluates text from the node as shell code.
"""

from __future__ import annotations

from enum import StrEnum


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
