"""The command lines that reach kvtui on another node."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.settings import ClusterSettings

CONNECT_TIMEOUT = 5
"""Seconds until ssh gives up on a host that does not answer."""
ALIVE_INTERVAL, ALIVE_COUNT = 5, 2
"""After two unanswered questions, five seconds each, ssh ends: the host is gone."""
OPTIONS = (
    "BatchMode=yes",  # never asks for a password or a passphrase
    f"ConnectTimeout={CONNECT_TIMEOUT}",
    f"ServerAliveInterval={ALIVE_INTERVAL}",
    f"ServerAliveCountMax={ALIVE_COUNT}",
)


def ssh_argv(settings: ClusterSettings, host: str, arguments: Sequence[str], *, terminal: bool = False) -> list[str]:
    """Returns the command that runs kvtui with these arguments on a host; ``terminal``: as a person does."""
    options = [word for option in OPTIONS for word in ("-o", option)]
    remote = f"{settings.command} {shlex.join(arguments)}".rstrip()
    # "--": a host name that begins with "-" is no option
    return [*shlex.split(settings.ssh), *options, "-t" if terminal else "-T", "--", host, remote]
