"""Assesses what a reload of this config does to keepalived: end it, leave it without instances, or cause warnings.

What is fatal was measured by reloading a running keepalived 2.2.7 with each (VIPs stay on the interface when it dies):
no virtual_router_id or a bad one, no VIP (an early ``}`` ends there), an interface that does not exist or a tracked
one, no interface, two instances with one VRID, a keyword without its parameter (an open quote). It lives on without
instances with an empty, a missing or an executable file. Everything else is only logged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.conf import Conf, Problem, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kvtui.actions.core.preflight import Preflight
    from kvtui.backend.config_test import ConfigMessage, ConfigTest

FATAL = re.compile(
    r"the virtual router id must be set"
    r"|No VIP specified; at least one is required"
    r"|Non-existent interface specified in configuration"
    r"|Unknown interface!"
    r"|both use VRID \d+"
    r"|is missing a parameter after keyword"
    r"|is not a regular non-executable file - skipping"
)
UNBALANCED = re.compile(r"missing '\}'s or extra '\{'s|Extra '\}' found|Missing '\{' at beginning")
MISSING_FILE = re.compile(r"Config files missing '(?P<name>.*)'\.")
FATAL_VALUE = "keepalived exits on it"
INSTANCE = re.compile(r"\((?P<name>[^)]+)\)")
QUOTED = re.compile(r"'([^']*)'")
CONFIG_EXIT = 2
"""``KEEPALIVED_EXIT_FATAL``-like: the parser gave up (measured: an open quote); no child would start."""


class ReloadAssessment(Struct, frozen=True):
    """Sentences for an operator, each with file and line where they are known.

    Attributes:
        fatal: a reload would end keepalived, or remove what it has now.
        unsafe: it would not end keepalived, but is hardly wanted.
        new: warnings that the running config does not have.
        known: warnings that the running config has too.
    """

    fatal: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


def assess_reload(preflight: Preflight) -> ReloadAssessment:
    if preflight.conf is None:
        missing = "a reload would remove every instance and its VIPs"
        unseen = "the effect of a reload is unknown; run kvtui as root or with CAP_SYS_PTRACE"
        return ReloadAssessment(fatal=(f"{preflight.error}: {missing if preflight.is_missing else unseen}",))
    fatal = [*_emptied(preflight.conf, preflight), *_from_conf(preflight.conf, preflight.running)]
    unsafe = _missing_includes(preflight.conf, preflight.running)
    new: list[str] = []
    known: list[str] = []
    if preflight.test is not None:
        fatal += _crashes(preflight.test)
        old = {m.text for m in preflight.baseline.messages} if preflight.baseline else set()
        for message in preflight.test.messages:
            _sort_in(message, preflight, old, (fatal, unsafe, new, known))
    tested = {m.line for m in preflight.test.messages} if preflight.test else set()
    old_problems = {p.message for p in preflight.running.problems} if preflight.running else set()
    for problem in preflight.conf.problems:
        if problem.kind is ProblemKind.VALUE and problem.at.line not in tested and not _fatal_value(problem):
            (known if problem.message in old_problems else new).append(_placed(problem))
    return ReloadAssessment(*(tuple(dict.fromkeys(group)) for group in (fatal, unsafe, new, known)))


def _sort_in(message: ConfigMessage, preflight: Preflight, old: set[str], groups: Sequence[list[str]]) -> None:
    fatal, unsafe, new, known = groups
    text = str(message) if message.line is not None else _with_place(message.text, preflight)
    if FATAL.search(message.text):
        fatal.append(f"{text}: keepalived would exit at the reload" if "skipping" not in text else text)
    elif UNBALANCED.search(message.text):
        # The same place is in our own reading, with a line; keepalived's sentence is for where that sees nothing
        if not fatal and message.text not in old:
            fatal.append(f"{text}: the rest of the file is misread")
    elif match := MISSING_FILE.search(message.text):
        is_known = any(match["name"] in u for u in unsafe) or _ran_without(preflight, match["name"])
        if not is_known and message.text not in old:
            unsafe.append(f"{text}: its content is missing after the reload")
    else:
        (known if message.text in old else new).append(text)


def _ran_without(preflight: Preflight, name: str) -> bool:
    """Whether the config that runs misses this include as well."""
    problems = preflight.running.problems if preflight.running else ()
    return any(p.kind is ProblemKind.INCLUDE and name in p.message for p in problems)


def _emptied(conf: Conf, preflight: Preflight) -> Iterable[str]:
    running = preflight.running
    had = bool(running.instances) if running is not None else preflight.keepalived.children.vrrp is not None
    if not conf.instances and not conf.virtual_servers:
        yield f"{conf.path} has no vrrp_instance and no virtual_server (is it empty?): a reload would remove them all"
    elif not conf.instances and had:
        yield f"{conf.path} has no vrrp_instance: a reload would remove every instance and its VIPs"


def _from_conf(conf: Conf, running: Conf | None) -> Iterable[str]:
    """Yields braces, quotes and VRIDs, with their places: also where ``keepalived -t`` crashes or cannot be run."""
    old = {p.message for p in running.problems} if running and running.digest == conf.digest else set()
    for problem in conf.problems:
        if problem.kind is ProblemKind.SYNTAX and problem.message not in old:
            yield f"{_placed(problem)}: keepalived may crash or exit, or ignore the rest of the file"
        elif _fatal_value(problem):
            yield _placed(problem)


def _fatal_value(problem: Problem) -> bool:
    return problem.kind is ProblemKind.VALUE and FATAL_VALUE in problem.message


def _missing_includes(conf: Conf, running: Conf | None) -> list[str]:
    """Returns included files that are not there and were there when keepalived read its config."""
    old = {name for p in (running.problems if running else ()) for name in QUOTED.findall(p.message)}
    return [
        f"{_placed(p)}: its content is missing after the reload"
        for p in conf.problems
        if p.kind is ProblemKind.INCLUDE and not old & set(QUOTED.findall(p.message))
    ]


def _crashes(test: ConfigTest) -> Iterable[str]:
    if test.killed_by:
        yield f"`keepalived -t` crashes on this config ({test.killed_by}): keepalived would crash at the reload"
    elif test.cut:
        yield "`keepalived -t` prints endlessly with this config"
    elif test.timed_out:
        yield (
            "`keepalived -t` did not end in time with this config and was killed: a name server may not answer, "
            "or this node is very busy. Try again"
        )
    elif test.exit_code == CONFIG_EXIT and not any(FATAL.search(m.text) for m in test.messages):
        yield "`keepalived -t` gives up on this config (exit status 2)"


def _with_place(text: str, preflight: Preflight) -> str:
    """Adds the place of the instance that keepalived names in the text."""
    match = INSTANCE.match(text)
    instance = preflight.conf.instance(match["name"]) if preflight.conf and match else None
    return f"{instance.at.file}:{instance.at.line}: {text}" if instance else text


def _placed(problem: Problem) -> str:
    return f"{problem.at.file}:{problem.at.line}: {problem.message}"
