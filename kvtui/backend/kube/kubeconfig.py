"""Ask a kubeconfig, by way of a short-lived process; see the package's text for why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from kvtui.backend.kube.credentials import Credentials
from kvtui.backend.kube.errors import BadAccess

if TYPE_CHECKING:
    from kvtui.backend.kube.places import Kubeconfig

TIMEOUT = 60.0
"""Seconds that an exec plugin may take; some ask a distant identity provider."""
PROGRAM = "kvtui.backend.kube.kubeconfig_child"


async def load(place: Kubeconfig, timeout: float = TIMEOUT) -> Credentials:
    """The credentials that a kubeconfig gives now; exec plugins and token refreshes run.

    Raises:
        BadAccess: a sentence on what is wrong.
    """
    # -P: a `kubernetes.py` in the operator's current folder must not be run.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what a plugin says there may be secret
            env=environ,
            start_new_session=True,  # a plugin must not talk to the terminal that the UI draws on
        )
    except OSError as error:
        raise BadAccess(f"{place.origin} cannot be read: no process can be started: {error.strerror}") from None
    try:
        asked = json.dumps({"paths": place.paths, "context": place.context}).encode()
        async with asyncio.timeout(timeout):
            told, _ = await child.communicate(asked)
    except TimeoutError:
        raise BadAccess(f"{place.origin} gave no credentials within {timeout:g} s: its plugin hangs") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # its own session: the plugin goes too
            await child.wait()
    try:
        answer = json.loads(told)
    except ValueError:
        raise BadAccess(f"{place.origin} cannot be read: its reader ended with {child.returncode}") from None
    if "trouble" in answer:
        raise BadAccess(answer["trouble"])
    return Credentials(origin=place.origin, **answer)
