"""Asks every few seconds whether the API still answers: a half-dead connection is silent, just as a quiet one is."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from kvtui.backend.kube.errors import KubeError, RejectedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.kube.session import Session

TARGET = "/version"
"""Anybody may ask it (ClusterRole system:public-info-viewer), and any answer will do, a refusal too."""


class HealthProbe:
    """Asks in a thread of its own; when no answer comes, twice, it calls ``lost``, with the time of the last answer."""

    def __init__(self, session: Session, lost: Callable[[KubeError, float], None]) -> None:
        self._session, self._lost = session, lost
        self._answered_at = time.time()

    def start(self) -> None:
        threading.Thread(target=self._run, name="health probe", daemon=True).start()

    def _run(self) -> None:
        timing = self._session.timing
        last = time.monotonic()
        while True:
            time.sleep(min(timing.probe, timing.probe_failing))
            if not self._session.failing and time.monotonic() - last < timing.probe:
                continue
            self._probe()
            last = time.monotonic()

    def _probe(self) -> None:
        error = self._ask()
        if isinstance(error, UnreachableError):
            error = self._ask()  # a connection that was idle may just have been closed
        if error is None:
            self._answered_at = time.time()
            self._session.succeeded()
        elif isinstance(error, UnreachableError):
            self._session.failed()
            self._lost(error, self._answered_at)

    def _ask(self) -> KubeError | None:
        try:
            timeout = self._session.timing.probe_timeout
            self._session.open("GET", TARGET, what="get version", read_timeout=timeout).drain_conn()
        except RejectedError:
            return None
        except KubeError as error:
            return error
        return None
