"""Writes kvtui.1, the manual page, from the commands themselves, the keys of the screens and the settings.

    python packaging/man/generate.py OUT          # a file, or - for stdout

The date is SOURCE_DATE_EPOCH's, as reproducible builds want it, or today's.
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
from kvtui.presenters.key_names import key_name
from kvtui.presenters.keys import COMMON, PANELS, SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DESCRIPTION = """\
kvtui shows who holds each VIP and why, whether its chain from the ConfigMap to the address on the interface is whole, \
and what traffic flows; and it acts: reload, drain, change a priority, fail over. Without a command it opens the \
terminal UI, or prints the status where there is no terminal.

It runs on a node, or in a pod beside keepalived. What it cannot read it names, with the reason and what would help, \
and shows the rest. Nothing is written before its plan was shown and agreed to; what was done is verified, written \
down, and can be undone."""

EXIT_STATUS = (
    ("0", "Done and verified; for triage: nothing is wrong; for trace: the chain is whole."),
    ("1", "Failed, and put back; for triage: warnings; for trace: the chain is broken; render --diff: differs."),
    ("2", "Wrong usage; for triage: something critical; for trace: no such VIP."),
    ("3", "Refused: read-only, no permission, or unsafe without --force; for triage and trace: could not tell."),
    ("4", "Applied, and not verified in time."),
    ("130", "Interrupted, and put back."),
)
FILES = (
    ("/etc/kvtui.toml, ~/.config/kvtui/config.toml", "The configuration; see CONFIGURATION."),
    ("/var/lib/kvtui", "The journal and what is drained; KVTUI_STATE_DIR names another folder."),
    (
        "kvtui-debug.log, kvtui-crash-*.txt",
        "Debug log and crash reports, without secrets: beside the journal, or in $XDG_STATE_HOME/kvtui or /tmp.",
    ),
)
ENVIRONMENT = (
    ("KVTUI_STATE_DIR", "The folder of the journal."),
    ("KVTUI_DEBUG", "The file of the debug log; without --debug too."),
    ("XDG_STATE_HOME", "Where the debug log and crash reports go if the folder of the journal does not exist."),
    ("NO_COLOR", "No colour at all."),
    ("KUBECONFIG", "How to reach the Kubernetes API, as kubectl knows it."),
    ("NODE_NAME", "The name of this node, where the host's name is another one."),
)


def escaped(text: str) -> str:
    """Text as roff prints it: no line of it is a request, a hyphen stays one that can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return "\\&" + text if text[:1] in {".", "'"} else text


def filled(text: str) -> str:
    """A paragraph: lines that ``git diff`` and mandoc's style check can bear; blanks are where roff breaks lines."""
    lines = wrap(text, 72, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(escaped, lines))


def quoted(text: str) -> str:
    """An argument of a macro."""
    return '"' + escaped(text).replace('"', "\\(dq") + '"'


def paragraphs(text: str) -> Iterator[str]:
    """Paragraphs; one that begins with ``Example:`` ends in a command line of its own."""
    for paragraph in text.split("\n\n"):
        folded = " ".join(paragraph.split())
        before, example, command = folded.partition("Example: ")
        if before.strip():
            yield f".PP\n{filled(before)}"
        if example:
            yield f".PP\nExample:\n.PP\n.nf\n.RS 4\n{escaped(command)}\n.RE\n.fi"


def item(term: str, text: str) -> str:
    """A term and what it is."""
    return f".TP\n.B {quoted(term)}\n{filled(text) or chr(92) + '&'}"


def items(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A list of them."""
    return (item(term, text) for term, text in pairs)


def parameters(found: Iterable[Parameter]) -> Iterator[str]:
    """Options or arguments, as ``--help`` words them."""
    return items((p.usage, p.help) for p in found)


def usage(command: Command) -> str:
    """A command's line of the synopsis."""
    words = [f"\\fB{escaped(' '.join(('kvtui', *command.path)))}\\fR"]
    words += ["[\\fIOPTION\\fR ...]"] if command.options else []
    for argument in command.arguments:
        shown = argument.usage
        words.append(escaped(shown) if shown.startswith("[") else f"\\fI{escaped(shown)}\\fR")
    return " ".join(words)


def one_command(command: Command) -> Iterator[str]:
    """A command: usage, what it does, its arguments and options."""
    yield f".SS {quoted(' '.join(command.path))}"
    yield usage(command)
    yield from paragraphs(command.help)
    yield from parameters(command.arguments)
    yield from parameters(command.options)


def keys() -> Iterator[str]:
    """The keys of the screens, from their bindings."""
    for scope, key in ((scope, key) for scope, keys in SCOPES for key in keys if key.help):
        screen = scope.removesuffix("Screen").replace("Ipvs", "IPVS")
        place = "" if scope in {COMMON, PANELS} else f", on the {screen} screen"
        yield item(key_name(key.keys), f"{key.help} ({key.id}){place}.")


CONFIGURATION = """\
TOML. A file in the home directory counts more than /etc/kvtui.toml, an environment variable more than both, an option \
more than all. What is wrong in a file is said with its line, and the rest is used. "kvtui config show" tells each \
value and where it comes from; KVTUI_CONFIG names one file that is read instead of both."""
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
    """The settings, from their one list."""
    yield from paragraphs(CONFIGURATION)
    for setting in SETTINGS:
        allowed = f"one of {', '.join(setting.choices)}" if setting.choices else setting.shape or setting.kind.value
        default = "nothing" if setting.default in {None, ()} else str(setting.default).lower()
        yield item(setting.key, f"{setting.help} {allowed[0].upper()}{allowed[1:]}; default: {default}.")
    yield item("keys.NAME", "The keys of what KEYS calls NAME, separated by commas. Those of dialogs stay as they are.")
    yield ".PP\nExample:\n.PP\n.nf\n.RS 4"
    yield from map(escaped, CONFIG_EXAMPLE.split("\n"))
    yield ".RE\n.fi"


def examples(epilog: str) -> Iterator[str]:
    """``command   what it does`` lines."""
    for line in epilog.split("\n\n")[1:]:
        command, *what = re.split(r"\s{2,}", line.strip(), maxsplit=1)
        yield item(command, f"{what[0][0].upper()}{what[0][1:]}." if what else "")


def page() -> str:
    """The whole page."""
    kvtui = command_tree()
    date = time.strftime("%Y-%m-%d", time.gmtime(float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())))
    everything = [c for c in kvtui.all() if c.path and not c.commands]
    variables = [(p.help, p) for c in kvtui.all() for p in c.options]
    named = [(m[1], p.summary) for text, p in variables if (m := re.search(r"env var: (\w+)", text))]
    sections = (
        ("NAME", [f"kvtui \\- {escaped('the terminal UI and CLI for keepalived + IPVS nodes')}"]),
        ("SYNOPSIS", ["\\fBkvtui\\fR [\\fIOPTION\\fR ...] [\\fICOMMAND\\fR ...]"]),
        ("DESCRIPTION", paragraphs(DESCRIPTION)),
        ("OPTIONS", ["They stand before the command.", *parameters(kvtui.options)]),
        ("COMMANDS", [line for c in everything for line in one_command(c)]),
        ("KEYS", ["In brackets: the name by which a key is changed in the configuration.", *keys()]),
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
