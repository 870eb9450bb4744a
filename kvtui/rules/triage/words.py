"""Phrases that several rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.rules.phrases import MAX_NAMES, shell_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kvtui.model.observation import RealServerView
    from kvtui.model.snapshot import Snapshot


def real_name(real: RealServerView) -> str:
    return endpoint(real.address, real.port)


def describe_real(real: RealServerView) -> str:
    check = f", check {real.check}" if real.check else ""
    return f"{real_name(real)}: {real.state.value}{check}"


def log_command(snapshot: Snapshot) -> str:
    """Returns the command that shows keepalived's log: of its file if known, else of its pod, or of its unit.

    Where the pod's name is not known it is a sentence, which no shell takes for a command.
    """
    if snapshot.log is not None and snapshot.log.where.startswith("/"):
        return f"tail -n 50 {shell_word(snapshot.log.where)}"
    controller, chosen = snapshot.controller, snapshot.chosen_keepalived
    if controller is not None:
        if not controller.pod:
            return "read the log of the controller's pod (kubectl logs)"
        namespace, _, name = controller.pod.partition("/")
        return f"kubectl -n {shell_word(namespace)} logs {shell_word(name)}"
    if (chosen is not None and chosen.root) or (chosen is None and snapshot.kube is not None):
        return "read the log of keepalived's container (kubectl logs, or docker logs)"
    return "journalctl -u keepalived"


def first_of(texts: Sequence[str]) -> Iterator[str]:
    yield from texts[:MAX_NAMES]
    if len(texts) > MAX_NAMES:
        yield f"and {len(texts) - MAX_NAMES} more"
