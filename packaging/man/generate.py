"""Writes kvtui.1, the manual page, from the commands, the keys of the screens and the settings.

    python packaging/man/generate.py OUT          # a file, or - for stdout

The date is that of SOURCE_DATE_EPOCH, for reproducible builds, or today.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui import __version__
from kvtui.cli.command_tree import Command, Parameter, command_tree
from kvtui.model.config import SETTINGS
from kvtui.presenters.keymap import key_name
from kvtui.presenters.keys import COMMON, PANELS, SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DESCRIPTION = """\
kvtui shows which node holds each VIP and why, whether its chain from the ConfigMap to the address is complete, \
and the traffic. It also acts: reload, drain, change a priority, fail over. Without a command it opens the \
terminal UI; without a terminal it prints the status.

It runs on a node, or in a pod next to keepalived. If it cannot read a source, it names the reason and a remedy, and \
shows the rest. It shows a plan and asks before it writes; then it verifies and journals the action, which can be \
undone."""

EXIT_STATUS = (
    ("0", "Done and verified; for triage: no warning; for trace: every layer is ok."),
    ("1", "Failed, and put back; for triage: a warning; for trace: a broken layer; for render --diff: a difference."),
    ("2", "Wrong usage; for triage: a critical finding; for trace: no such VIP."),
    ("3", "Refused: read-only, no permission, or unsafe without --force; for triage, trace and render: unknown."),
    ("4", "Applied, but not verified in time."),
    ("130", "Interrupted, and put back."),
)
FILES = (
    ("/etc/kvtui.toml, ~/.config/kvtui/config.toml", "The configuration; see CONFIGURATION."),
    ("/var/lib/kvtui", "The journal and the drained servers; KVTUI_STATE_DIR sets another folder."),
    (
        "kvtui-debug.log, kvtui-crash-*.txt",
        "Debug log and crash reports, without secrets: in the journal's folder, $XDG_STATE_HOME/kvtui or /tmp.",
    ),
)
ENVIRONMENT = (
    ("KVTUI_STATE_DIR", "The folder of the journal."),
    ("KVTUI_DEBUG", "The file of the debug log; switches it on like --debug."),
    ("XDG_STATE_HOME", "Folder for the debug log and crash reports if the journal's folder does not exist."),
    ("NO_COLOR", "Disables colours."),
    ("KUBECONFIG", "Kubeconfig files, as in kubectl."),
    ("NODE_NAME", "The name of this node, if it differs from the host name."),
)


def escaped(text: str) -> str:
    """Returns text for roff: no line is a request, and a hyphen can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return "\\&" + text if text[:1] in {".", "'"} else text


def filled(text: str) -> str:
    """Returns a paragraph in short lines, as mandoc's style check wants."""
    lines = wrap(text, 72, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(escaped, lines))


def quoted(text: str) -> str:
    """Returns an argument of a macro."""
    return '"' + escaped(text).replace('"', "\\(dq") + '"'


def paragraphs(text: str) -> Iterator[str]:
    """Yields paragraphs; the command after ``Example:`` is a paragraph of its own."""
    for paragraph in text.split("\n\n"):
        folded = " ".join(paragraph.split())
        before, example, command = folded.partition("Example: ")
        if before.strip():
            yield f".PP\n{filled(before)}"
        if example:
            yield f".PP\nExample:\n.PP\n.nf\n.RS 4\n{escaped(command)}\n.RE\n.fi"


def item(term: str, text: str) -> str:
    """Returns a term and its description."""
    return f".TP\n.B {quoted(term)}\n{filled(text) or chr(92) + '&'}"


def items(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yields terms and their descriptions."""
    return (item(term, text) for term, text in pairs)


def parameters(found: Iterable[Parameter]) -> Iterator[str]:
    """Yields options or arguments, as in ``--help``."""
    return items((p.usage, p.help) for p in found)


def usage(command: Command) -> str:
    """Returns a command's synopsis."""
    words = [f"\\fB{escaped(' '.join(('kvtui', *command.path)))}\\fR"]
    words += ["[\\fIOPTION\\fR ...]"] if command.options else []
    for argument in command.arguments:
        shown = argument.usage
        words.append(escaped(shown) if shown.startswith("[") else f"\\fI{escaped(shown)}\\fR")
    return " ".join(words)


def one_command(command: Command) -> Iterator[str]:
    """Yields a command's synopsis, description, arguments and options."""
    yield f".SS {quoted(' '.join(command.path))}"
    yield usage(command)
    yield from paragraphs(command.help)
    yield from parameters(command.arguments)
    yield from parameters(command.options)


def keys() -> Iterator[str]:
    """Yields the keys of the screens, from their bindings."""
    for scope, key in ((scope, key) for scope, keys in SCOPES for key in keys if key.help):
        screen = scope.removesuffix("Screen").replace("Ipvs", "IPVS")
        place = "" if scope in {COMMON, PANELS} else f", on the {screen} screen"
        yield item(key_name(key.keys), f"{key.help} ({key.id}){place}.")


CONFIGURATION = """\
TOML. The file in the home folder overrides /etc/kvtui.toml, an environment variable both, an option all three. \
kvtui reports a mistake in a file with its line and uses the rest. "kvtui config show" prints each value and its \
origin. KVTUI_CONFIG names one file to read instead of both."""
CONFIG_EXAMPLE = """\
theme = "light"
read_only = true
[kubernetes]
configmap = "default/vip-configmap"
[triage]
ignore = ["priority-tie"]
[keys]
act.drain = "D"
view.ipvs = "3,f3\""""


def configuration() -> Iterator[str]:
    """Yields the settings."""
    yield from paragraphs(CONFIGURATION)
    for setting in SETTINGS:
        allowed = f"one of {', '.join(setting.choices)}" if setting.choices else setting.shape or setting.kind.value
        default = "nothing" if setting.default in {None, ()} else str(setting.default).lower()
        yield item(setting.key, f"{setting.help} {allowed[0].upper()}{allowed[1:]}; default: {default}.")
    yield item(
        "keys.NAME", "Keys for the NAME in section KEYS, separated by commas. Keys of dialogs cannot be changed."
    )
    yield ".PP\nExample:\n.PP\n.nf\n.RS 4"
    yield from map(escaped, CONFIG_EXAMPLE.split("\n"))
    yield ".RE\n.fi"


def examples(epilog: str) -> Iterator[str]:
    """Yields a command and its description for each line ``command   description``."""
    for line in epilog.split("\n\n")[1:]:
        command, *what = re.split(r"\s{2,}", line.strip(), maxsplit=1)
        yield item(command, f"{what[0][0].upper()}{what[0][1:]}." if what else "")


def page() -> str:
    """Returns the whole page."""
    kvtui = command_tree()
    date = time.strftime("%Y-%m-%d", time.gmtime(float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())))
    everything = [c for c in kvtui.all() if c.path and not c.commands]
    variables = [(p.help, p) for c in kvtui.all() for p in c.options]
    named = [(m[1], p.summary) for text, p in variables if (m := re.search(r"env var: (\w+)", text))]
    sections = (
        ("NAME", [f"kvtui \\- {escaped('the terminal UI and CLI for keepalived + IPVS nodes')}"]),
        ("SYNOPSIS", ["\\fBkvtui\\fR [\\fIOPTION\\fR ...] [\\fICOMMAND\\fR ...]"]),
        ("DESCRIPTION", paragraphs(DESCRIPTION)),
        (
            "OPTIONS",
            [
                *paragraphs(
                    "They come before the command, or after a command that they concern. "
                    "If an option is given twice, the last counts."
                ),
                *parameters(kvtui.options),
            ],
        ),
        ("COMMANDS", [line for c in everything for line in one_command(c)]),
        ("KEYS", ["In brackets: the name of a key in the configuration.", *keys()]),
        ("CONFIGURATION", configuration()),
        ("EXIT STATUS", items(EXIT_STATUS)),
        ("ENVIRONMENT", items([*named, *ENVIRONMENT])),
        ("FILES", items(FILES)),
        ("EXAMPLES", examples(kvtui.epilog)),
        ("SEE ALSO", ["\\fBkeepalived\\fR(8), \\fBkeepalived.conf\\fR(5), \\fBipvsadm\\fR(8)"]),
    )
    head = f'.\\" Made by packaging/man/generate.py\n.TH KVTUI 1 {date} {quoted(f"kvtui {__version__}")}'
    body = [f".SH {quoted(name)}\n" + "\n".join(lines).removeprefix(".PP\n") for name, lines in sections]
    return "\n".join([head, *body, ""])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python packaging/man/generate.py OUT")
    if sys.argv[1] == "-":
        sys.stdout.write(page())
    else:
        Path(sys.argv[1]).write_text(page(), encoding="ascii")
