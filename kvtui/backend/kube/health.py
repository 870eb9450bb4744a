"""Asks every few seconds whether the API still answers: a half-dead connection is silent, just as a quiet one is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

from kvtui.backend.kube.errors import KubeError, RejectedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.kube.session import Session

TARGET = "/version"
"""Anybody may ask it (ClusterRole system:public-info-viewer), and any answer will do, a refusal too."""


def probe_health(session: Session, lost: Callable[[KubeError, float], None]) -> NoReturn:
    """Needs a thread of its own; when no answer comes, twice, it calls ``lost`` with the time of the last answer."""
    timing = session.timing
    answered_at, probed = time.time(), time.monotonic()
    while True:
        time.sleep(min(timing.probe, timing.probe_failing))
        if not session.failing and time.monotonic() - probed < timing.probe:
            continue
        error = _ask(session)
        if isinstance(error, UnreachableError):
            error = _ask(session)  # a connection that was idle may just have been closed
        if error is None:
            answered_at = time.time()
            session.succeeded()
        elif isinstance(error, UnreachableError):
            session.failed()
            lost(error, answered_at)
        probed = time.monotonic()


def _ask(session: Session) -> KubeError | None:
    try:
        session.open("GET", TARGET, what="get version", read_timeout=session.timing.probe_timeout).drain_conn()
    except KubeError as error:
        return None if isinstance(error, RejectedError) else error
    return None
