"""The command lines that reach kvtui on another node: by ssh, or by exec into a pod (``pod/NAMESPACE/NAME``)."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from typing import TYPE_CHECKING

from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.settings import ClusterSettings

CONNECT_TIMEOUT = 5
"""Seconds until ssh gives up on a host that does not answer; the cluster view then tries again."""
ACTION_CONNECT_TIMEOUT = 30
"""The same for an action, which is refused then: an sshd on a busy node takes its time."""
OPTIONS = (
    "BatchMode=yes",  # never asks for a password or a passphrase
    "ServerAliveInterval=5",  # seconds; after two unanswered questions ssh ends: the host is gone
    "ServerAliveCountMax=2",
)
POD, DAEMONSET = "pod/", "daemonset/"
CONTAINER = "kvtui"
"""Of a pod that is named without its container."""
EXEC = (sys.executable, "-P", "-m", "kvtui.backend.kube.exec")
DAEMONSET_PODS = (sys.executable, "-P", "-m", "kvtui.backend.kube.daemonset")
POD_STATUS = (sys.executable, "-P", "-m", "kvtui.cli.pod_status")


async def start(
    command: Sequence[str], line_bytes: int = 1 << 16, stdin: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Starts a command of ``argv``: no terminal to ask on, and Ctrl+C is kvtui's. Raises OSError, which names it."""
    # kvtui's own process of a pod must find the same modules as this one
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=pipe,
            stderr=pipe,
            env=environment,
            limit=line_bytes,
            start_new_session=True,
        )
    except OSError as error:
        raise OSError(error.errno, f"cannot start {plain(command[0])}: {error.strerror}") from error


def argv(
    settings: ClusterSettings,
    host: str,
    arguments: Sequence[str],
    *,
    terminal: bool = False,
    connect_timeout: int = CONNECT_TIMEOUT,
) -> list[str]:
    """Returns the command that runs kvtui with these arguments on a host; ``terminal``: as a person does."""
    host = settings.pods.get(host, host)
    if host.startswith(POD):
        return _exec(settings, host, arguments, terminal=terminal)
    options = [word for option in (*OPTIONS, f"ConnectTimeout={connect_timeout}") for word in ("-o", option)]
    remote = f"{settings.command} {shlex.join(arguments)}".rstrip()
    # "--": a host name that begins with "-" is no option
    return [*shlex.split(settings.ssh), *options, "-t" if terminal else "-T", "--", host, remote]


def _exec(settings: ClusterSettings, host: str, arguments: Sequence[str], *, terminal: bool) -> list[str]:
    """A person's terminal goes through kubectl, which puts it into raw mode and passes on its size."""
    namespace, name, container = place_of(host)
    command = [*shlex.split(settings.command), *arguments]
    if not terminal:
        return [*EXEC, namespace, name, container, *_api(settings), *command]
    api = {"--kubeconfig": settings.kubeconfig, "--context": settings.context}
    options = [f"{option}={value}" for option, value in api.items() if value]
    return ["kubectl", *options, "exec", "-it", "-n", namespace, name, "-c", container, "--", *command]


def without_kvtui(settings: ClusterSettings, host: str) -> list[str] | None:
    """Returns the command that reports what a shell in a pod can read; None where the host is no pod."""
    if not host.startswith(POD):
        return None
    return [*POD_STATUS, host, *EXEC, *place_of(host), *_api(settings)]


def daemonset(settings: ClusterSettings, host: str) -> list[str]:
    """Returns the command that prints the pods of a DaemonSet."""
    return [*DAEMONSET_PODS, *place_of(host.removeprefix(DAEMONSET)), *_api(settings)]


def _api(settings: ClusterSettings) -> tuple[str, str]:
    return settings.kubeconfig or "", settings.context or ""


def place_of(host: str) -> tuple[str, str, str]:
    """Returns namespace, name and container."""
    namespace, name, container = (*host.removeprefix(POD).split("/"), "", "", "")[:3]
    return namespace, name, container or CONTAINER
