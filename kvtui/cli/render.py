"""``kvtui render``: the keepalived.conf that the controller should write, and how the file differs from it."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING

from kvtui.cli.output import encode, fail, info, write
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.presenters.documents import render as render_document
from kvtui.rules.mapping.controller import settings_of
from kvtui.rules.mapping.drift import drift
from kvtui.rules.mapping.expected import ExpectedConfig, expected
from kvtui.rules.textdiff import same_effect, text_diff

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.model.mapping import Dialect
    from kvtui.model.snapshot import Snapshot
    from kvtui.rules.mapping.controller import ControllerSettings
    from kvtui.rules.mapping.drift import Difference

MAX_DIFFERENCES = MAX_NODES = 20


class RenderExit(IntEnum):
    """Exit codes; 2 is usage."""

    OK = 0
    """Printed; with ``--diff``: no difference."""
    DIFFERS = 1
    UNKNOWN = 3
    """A source that the config depends on cannot be read."""


def render(
    invocation: Invocation,
    *,
    dialect: Dialect | None = None,
    node: str | None = None,
    interface: str | None = None,
    diff: bool = False,
    wait: float,
) -> RenderExit:
    """Prints the expected config, or the difference between it and the file.

    ``dialect``, ``node`` and ``interface``: None for this node's; ``wait`` is in seconds.
    """
    if diff and node is not None:
        fail("--diff compares with this node's file; omit --node")
    seen = invocation.observe(wait)
    snapshot = seen.snapshot
    if snapshot.kube is None:
        why = plain(snapshot.source(SourceName.KUBERNETES).detail) or "kvtui has not asked it"
        fail(f"the expected config depends on the Kubernetes API: {why}", RenderExit.UNKNOWN)
    nodes = snapshot.kube.nodes
    if node is not None and nodes is not None and node not in nodes:
        known = plain(", ".join(sorted(nodes)[:MAX_NODES])) or "none"
        fail(f"the cluster has no node {plain(node, 60)}; its nodes: {known}")
    settings = settings_of(snapshot, dialect=dialect, node=node, interface=interface)
    result = expected(snapshot.kube, settings)
    if not invocation.form.is_text:
        document = render_document(seen, settings, result, diff=diff)
        write(encode(document, invocation.form))
        if result.text is None or (diff and document["file"] is None):
            return RenderExit.UNKNOWN
        return RenderExit.DIFFERS if diff and document["file"] else RenderExit.OK
    if not result.read and (api_error := plain(snapshot.source(SourceName.KUBERNETES).detail)):
        info(f"unknown: {api_error}")
    _print_notes(settings, result)
    if result.text is None:
        return RenderExit.UNKNOWN
    if diff:
        return _print_diff(_file_text(invocation, snapshot), snapshot, result)
    # a file or a pipe gets the text as it is
    write(_plain_lines(result.text) if sys.stdout.isatty() else result.text.encode("utf-8", "replace").decode())
    return RenderExit.OK


def _print_notes(settings: ControllerSettings, result: ExpectedConfig) -> None:
    info(f"controller {settings.dialect.value}: {plain(settings.why_dialect)} (override with --dialect)")
    for note in result.notes:
        info(f"assumed: {plain(note)}")
    for skipped in result.skipped:
        port = "" if skipped.port is None else f" port {skipped.port}"
        info(f"skipped: {plain(skipped.vip, 60)}{port}: {plain(skipped.why)}")
    for fact in result.missing:
        info(f"unknown: {plain(fact)}")


def _print_diff(text: str | None, snapshot: Snapshot, result: ExpectedConfig) -> RenderExit:
    if text is None or result.text is None or snapshot.conf is None:
        why = plain(snapshot.source(SourceName.CONF).detail) or "kvtui could not read keepalived.conf"
        fail(why, RenderExit.UNKNOWN)
    if snapshot.running is not None:
        _print_differences("running config", drift(result, snapshot.running))
    if same_effect(text, result.text):
        if text != result.text:
            info("the file differs only in comments and blank space")
        return RenderExit.OK
    _print_differences("file", drift(result, snapshot.conf))
    changes = text_diff(text, result.text, names=(snapshot.conf.path, "expected"))
    write(_plain_lines(changes))
    return RenderExit.DIFFERS


def _print_differences(where: str, differences: tuple[Difference, ...]) -> None:
    for difference in differences[:MAX_DIFFERENCES]:
        info(f"{where}: {plain(difference.text)}")
    if len(differences) > MAX_DIFFERENCES:
        info(f"{where}: and {len(differences) - MAX_DIFFERENCES} more differences")


def _file_text(invocation: Invocation, snapshot: Snapshot) -> str | None:
    """Returns the main file with its comments; None when it cannot be read."""
    from kvtui.backend.demo.conf_text import initial_text  # noqa: PLC0415 - only --diff reads the file again
    from kvtui.backend.linux.files import read_text  # noqa: PLC0415 - as above

    if invocation.demo:
        return initial_text()
    keepalived = snapshot.chosen_keepalived
    if keepalived is None or snapshot.conf is None:
        return None
    try:
        return read_text(keepalived.conf, root=keepalived.root)
    except OSError:
        return None


def _plain_lines(text: str) -> str:
    return "".join(f"{plain(line, len(line) + 1)}\n" for line in text.removesuffix("\n").split("\n"))
