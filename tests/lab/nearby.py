"""Finds keepalived daemons on this machine for `make run`, with the standard library only: nothing is installed yet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kvtui.backend.linux import procfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ONE_SHOT = re.compile(r"-[PCBlDGXVIRndaxme]*[tTvh].*|--(config-test|signum)(=.*)?|--(genhash|version|help)")
"""Arguments with which keepalived prints something and exits: it is not a daemon (kvtui.backend.linux.arguments)."""


class NearbyDaemon(NamedTuple):
    """A keepalived daemon.

    Attributes:
        own_network: Whether it runs in this process' network namespace; None: unknown, for lack of permission.
        contained: Whether it runs in another mount or PID namespace.
    """

    pid: int
    own_network: bool | None
    contained: bool


def daemons(proc: str = "/proc") -> list[NearbyDaemon]:
    """Returns the running keepalived parent processes, those in this network namespace first."""
    argv = {pid: words for pid, words in _command_lines(proc) if _is_keepalived(words)}
    children = {child for pid in argv for child in procfs.children(pid, proc)}
    found = [
        NearbyDaemon(pid, _same("net", pid, proc), _is_contained(pid, proc))
        for pid, words in argv.items()
        if pid not in children and not any(ONE_SHOT.fullmatch(word) for word in words[1:])
    ]
    return sorted(found, key=lambda daemon: (daemon.own_network is False, daemon.contained, daemon.pid))


def _command_lines(proc: str) -> Iterator[tuple[int, Sequence[str]]]:
    for path in Path(proc).glob("[0-9]*/cmdline"):
        yield int(path.parent.name), procfs.text(str(path)).rstrip("\0").split("\0")


def _is_keepalived(words: Sequence[str]) -> bool:
    return words[0].rpartition("/")[2] == "keepalived"


def _same(kind: str, pid: int, proc: str) -> bool | None:
    theirs, ours = procfs.namespace_inode(pid, kind, proc), procfs.namespace_inode("self", kind, proc)
    return None if theirs is None or ours is None else theirs == ours


def _is_contained(pid: int, proc: str) -> bool:
    """Compares NSpid, which any user can read, and the mount namespace, which only root can."""
    deeper = len(procfs.ns_pids(pid, proc)) > len(procfs.ns_pids("self", proc))
    return deeper or _same("mnt", pid, proc) is False


def what_to_show(found: Sequence[NearbyDaemon]) -> tuple[NearbyDaemon | None, str]:
    """Returns this node's daemon, if any, and a sentence for the user of `make run`."""
    if not found:
        return None, "No keepalived runs here."
    first = found[0]
    if first.own_network is False:
        return None, (
            f"No keepalived runs on this node's network; PID {first.pid} runs in a container with a network of its own "
            f'(to see that one: make run ARGS="--pid {first.pid}").'
        )
    if first.contained and first.own_network is None:
        return first, f"keepalived runs in a container, PID {first.pid}; only root sees whether on this node's network."
    where = f"in a container on this node's network, PID {first.pid}" if first.contained else f"here, PID {first.pid}"
    return first, f"keepalived runs {where}: kvtui shows it."
