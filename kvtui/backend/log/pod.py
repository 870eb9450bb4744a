"""The log of a container as the kubelet keeps it on its node (/var/log/pods, /var/log/containers)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.linux import procfs
from kvtui.backend.linux.files import resolve_inside
from kvtui.backend.linux.namespaces import mntns_inode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.keepalived import Keepalived

_UID = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})\b")
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_BY_CONTAINER = re.compile(r"(?P<pod>[^_]+)_(?P<namespace>[^_]+)_(?P<container>.+)-[0-9a-f]{64}\.log")


class Container(Struct, frozen=True):
    """Which container a process is in.

    Attributes:
        uid: of its pod, as the kubelet names folders; None when not known.
        identity: 64 hexadecimal digits; None when not known.
        pod: ``namespace/name``; None when not known.
    """

    uid: str | None = None
    identity: str | None = None
    pod: str | None = None


def container_of(keepalived: Keepalived, proc: str = "/proc") -> Container | None:
    """By its control group and its controller's environment; None when nothing tells of a container."""
    groups = procfs.cgroup(keepalived.pid, proc)
    uid, identity = _UID.search(groups), _CONTAINER.findall(groups)
    pod = keepalived.controller.pod if keepalived.controller else None
    if not (uid or identity or pod):
        return None
    return Container(uid[1].replace("_", "-") if uid else None, identity[-1] if identity else None, pod)


def find(container: Container, proc: str = "/proc", root: str = "") -> tuple[str, Container] | None:
    """The file, as a path of ours, and the container with what its name tells; None when it is not reachable.

    Looked for on this machine, then on the host (by its PID 1, when we see it: hostPID).

    Args:
        container: which.
        proc: where proc is mounted.
        root: of this machine, for tests.
    """
    roots = [root]
    host = mntns_inode(1, proc)
    if host is not None and host != mntns_inode("self", proc):
        roots.append(f"{proc}/1/root")
    for place in roots:
        if found := _by_container(container, place) or _by_pod(container, place):
            return found
    return None


def _by_container(container: Container, root: str) -> tuple[str, Container] | None:
    """A link named after the container: it tells the pod, too."""
    if container.identity is None:
        return None
    for name in _names(f"{root}/var/log/containers"):
        match = _BY_CONTAINER.fullmatch(name) if container.identity in name else None
        if match:
            pod = container.pod or f"{match['namespace']}/{match['pod']}"
            path = _file(root, f"/var/log/containers/{name}")
            return (path, Container(container.uid, container.identity, pod)) if path else None
    return None


def _by_pod(container: Container, root: str) -> tuple[str, Container] | None:
    """NAMESPACE_NAME_UID/CONTAINER/NUMBER.log: the newest of them."""
    start = f"{container.pod.replace('/', '_')}_" if container.pod else ""
    end = f"_{container.uid}" if container.uid else ""
    if not start and not end:
        return None
    logs: list[tuple[float, str, str]] = []
    for folder in _names(f"{root}/var/log/pods"):
        if folder.startswith(start) and folder.endswith(end):
            logs += _logs(root, folder)
    if not logs:
        return None
    _at, path, folder = max(logs)
    namespace, name = folder.split("_")[:2] if folder.count("_") >= 2 else ("?", folder)
    return path, Container(container.uid, container.identity, container.pod or f"{namespace}/{name}")


def _logs(root: str, folder: str) -> Iterator[tuple[float, str, str]]:
    for inner in _names(f"{root}/var/log/pods/{folder}"):
        for name in _names(f"{root}/var/log/pods/{folder}/{inner}"):
            path = _file(root, f"/var/log/pods/{folder}/{inner}/{name}") if name.endswith(".log") else None
            if path:
                try:
                    yield (Path(path).stat().st_mtime, path, folder)
                except OSError:
                    continue


def _names(folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in Path(folder).iterdir())
    except OSError:
        return []


def _file(root: str, path: str) -> str | None:
    """Docker's links lead on to /var/lib/docker; absolute ones are followed inside the root."""
    try:
        found = resolve_inside(root, path)
        return found if Path(found).is_file() else None
    except OSError:
        return None
