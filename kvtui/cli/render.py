"""``kvtui render``: the keepalived.conf that the controller should have written, and how the file differs from it."""

from __future__ import annotations

import asyncio
import sys
from enum import IntEnum
from typing import TYPE_CHECKING

from kvtui.cli.output import Format, encode, fail, info, write
from kvtui.model.record import dataclass
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.presenters.documents import render as render_document
from kvtui.rules.mapping.controller import settings_of
from kvtui.rules.mapping.drift import drift
from kvtui.rules.mapping.expected import Expected, expected
from kvtui.rules.textdiff import same_effect, text_diff

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.model.mapping import Dialect
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot
    from kvtui.rules.mapping.controller import ControllerSettings
    from kvtui.rules.mapping.drift import Difference

MANY = 20
"""So many differences of what runs are told on stderr."""


class Code(IntEnum):
    """Exit codes."""

    DONE = 0
    """Printed; with ``--diff``: the file says the same."""
    DIFFERS = 1
    USAGE = 2
    NOT_KNOWN = 3
    """Something that the config depends on could not be read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line.

    Attributes:
        dialect: which controller; None to guess.
        node: for which node; None for this one.
        interface: of that node; None to find it out.
        diff: compare with the file.
        form: text, JSON or YAML.
        wait: seconds for the API to answer, at most.
    """

    dialect: Dialect | None
    node: str | None
    interface: str | None
    diff: bool
    form: Format
    wait: float


def render(invocation: Invocation, wanted: Wanted) -> int:
    """Print the expected config, or its difference from the file.

    Returns:
        See ``Code``.
    """
    if wanted.diff and wanted.node is not None:
        fail("--diff compares with the file of this node: leave --node out", Code.USAGE)
    try:
        seen = asyncio.run(_observe(invocation, wanted.wait))
    except LookupError as missing:
        return int(fail(str(missing.args[0]), Code.USAGE))
    snapshot = seen.snapshot
    if snapshot.kube is None:
        why = plain(snapshot.source(SourceName.KUBERNETES).detail) or "it was not asked"
        return int(fail(f"what the controller should have written needs the Kubernetes API: {why}", Code.NOT_KNOWN))
    nodes = snapshot.kube.nodes
    if wanted.node is not None and nodes is not None and wanted.node not in nodes:
        there = ", ".join(sorted(nodes)[:MANY]) or "none"
        return int(fail(f"the cluster has no node {plain(wanted.node, 60)}; there are: {plain(there)}", Code.USAGE))
    settings = settings_of(snapshot, dialect=wanted.dialect, node=wanted.node, interface=wanted.interface)
    result = expected(snapshot.kube, settings)
    if wanted.form is not Format.TEXT:
        return _as_document(seen, settings, result, wanted)
    if not result.read:
        _narrate_cause(snapshot)
    _narrate(settings, result)
    if result.text is None:
        return Code.NOT_KNOWN
    if wanted.diff:
        return _diff(snapshot, result)
    write(_printable(result.text))
    return Code.DONE


async def _observe(invocation: Invocation, wait: float) -> Observation:
    observer = invocation.observer()
    try:
        return await observer.observe(timeout=wait)
    finally:
        await observer.close()


def _narrate_cause(snapshot: Snapshot) -> None:
    """Why the API says too little, before what is missing for it: "refuses connections" is what can be acted on."""
    if cause := plain(snapshot.source(SourceName.KUBERNETES).detail):
        info(f"cannot tell: {cause}")


def _narrate(settings: ControllerSettings, result: Expected) -> None:
    """What was guessed, what is skipped, what is missing: on stderr, since stdout is the config."""
    info(f"as controller {settings.dialect.value} writes it: {plain(settings.why_dialect)} (--dialect overrides)")
    for note in result.notes:
        info(f"assumed: {plain(note)}")
    for skipped in result.skipped:
        port = "" if skipped.port is None else f" port {skipped.port}"
        info(f"skipped: {plain(skipped.vip, 60)}{port}: {plain(skipped.why)}")
    for what in result.missing:
        info(f"cannot tell: {plain(what)}")


def _diff(snapshot: Snapshot, result: Expected) -> int:
    text = _file_text(snapshot)
    if text is None or result.text is None or snapshot.conf is None:
        why = plain(snapshot.source(SourceName.CONF).detail) or "keepalived.conf was not read"
        return int(fail(why, Code.NOT_KNOWN))
    if snapshot.running is not None:
        _narrate_differences("what keepalived runs", drift(result, snapshot.running))
    if same_effect(text, result.text):
        if text != result.text:
            info("the file differs in comments and blank space only")
        return Code.DONE
    _narrate_differences("the file", drift(result, snapshot.conf))
    changes = text_diff(text, result.text, names=(snapshot.conf.path, "expected"))
    write("".join(f"{plain(line, len(line) + 1)}\n" for line in changes.split("\n")[:-1]))
    return Code.DIFFERS


def _narrate_differences(where: str, found: tuple[Difference, ...]) -> None:
    for difference in found[:MANY]:
        info(f"{where}: {plain(difference.text)}")
    if len(found) > MANY:
        info(f"{where}: and {len(found) - MANY} more differences")


def _file_text(snapshot: Snapshot) -> str | None:
    """The main file's own text, comments and all; None when it cannot be read (any more)."""
    from kvtui.backend.linux.files import read_text, resolve_inside  # noqa: PLC0415 - only --diff reads the file again

    keepalived = snapshot.chosen_keepalived
    if keepalived is None or snapshot.conf is None:
        return None
    try:
        return read_text(resolve_inside(keepalived.root, keepalived.conf))
    except OSError:
        return None


def _printable(text: str) -> str:
    """As it is into a file or pipe; to a terminal only what prints."""
    whole = text.encode("utf-8", "replace").decode()
    if not sys.stdout.isatty():
        return whole
    return "".join(f"{plain(line, len(line) + 1)}\n" for line in whole.removesuffix("\n").split("\n"))


def _as_document(seen: Observation, settings: ControllerSettings, result: Expected, wanted: Wanted) -> int:
    content = render_document(seen, settings, result, diff=wanted.diff)
    write(encode(content, wanted.form))
    if result.text is None or (wanted.diff and content["file"] is None):
        return Code.NOT_KNOWN
    return Code.DIFFERS if wanted.diff and content["file"] else Code.DONE
