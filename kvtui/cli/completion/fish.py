"""fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.cli.completion.table import Table

FISH = r"""
# What can stand for the word that is being typed: a line each, value TAB what it is.
function __kvtui_answer
    set -l words (commandline -opc)
    set -l program $words[1]
    set -l word (commandline -ct)
    set -l path ""
    set -l kind
    set -l options
    set -l before ""
    set -l position 0
    for past in $words[2..-1]
        if test -n "$kind"
            set kind
            test -z "$path"; and set -a options -- $past
        else if string match -q -- '-?*' $past
            set kind (__kvtui_table "v:$path:$past")
            test -z "$path"; and set -a options -- $past
        else if set -l below (__kvtui_table "p:$path:$past")
            set path $below
        else
            set position (math $position + 1)
        end
    end
    if test -z "$kind"; and string match -q -- '--*=*' $word
        set kind (__kvtui_table "v:$path:"(string replace -r '=.*' '' -- $word))
        set before (string replace -r '=.*' '=' -- $word)
    else if test -n "$kind"
    else if string match -q -- '-*' $word
        set kind (__kvtui_table "o:$path")
    else if not set kind (__kvtui_table "c:$path")
        set kind (__kvtui_table "a:$path:$position")
    end
    switch "$kind[1]"
        case '' text
        case file
            __fish_complete_path (string replace -r '^[^=]*=' '' -- $word)
        case '=*'
            set kind (string sub -s 2 -- $kind[1])
            string replace -r '^' -- $before (env _KVTUI_VALUES=$kind $program $options </dev/null 2>/dev/null)
        case '*'
            string replace -r '^' -- $before $kind
    end
end

complete -c kvtui -f -a '(__kvtui_answer)'
"""


def script(table: Table) -> str:
    """The script."""
    return f"# fish completion for kvtui, made by `kvtui completion fish`\n{_lookup(table)}{FISH}"


def _lookup(table: Table) -> str:
    """The table as a function that prints, a line each; keys with the same answer share a branch."""
    keys: dict[str, list[str]] = {}
    for key, answer in table.items():
        keys.setdefault(answer, []).append(key)
    lines = []
    for answer, names in keys.items():
        lines.append(f"case {' '.join(map(_quoted, names))}")
        lines.append(f"    printf '%s\\n' {' '.join(_quoted(line) for line in answer.split(chr(10)))}")
    body = "\n        ".join([*lines, "case '*'", "    return 1"])
    return f"\nfunction __kvtui_table\n    switch $argv[1]\n        {body}\n    end\nend\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
