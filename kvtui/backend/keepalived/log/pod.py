"""Finds the log of a container on its node (the kubelet's /var/log/pods and /var/log/containers)."""

from __future__ import annotations

import glob
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.linux import procfs
from kvtui.backend.linux.rooted import real_path

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

_UID = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})\b")
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_BY_CONTAINER = re.compile(r"(?P<pod>[^_]+)_(?P<namespace>[^_]+)_(?P<container>.+)-[0-9a-f]{64}\.log")


class Container(Struct, frozen=True):
    """The container of a process; what is unknown is None."""

    uid: str | None = None  # of its pod, as in the kubelet's folder names
    identity: str | None = None
    pod: str | None = None  # ``namespace/name``


def container_of(keepalived: Keepalived, proc: str = "/proc") -> Container | None:
    """Finds it by the process's control group and its controller's environment; None when it is in no container."""
    groups = procfs.cgroup(keepalived.pid, proc)
    uid, identity = _UID.search(groups), _CONTAINER.findall(groups)
    pod = keepalived.controller.pod if keepalived.controller else None
    if not (uid or identity or pod):
        return None
    return Container(uid[1].replace("_", "-") if uid else None, identity[-1] if identity else None, pod)


def find(container: Container, proc: str = "/proc", root: str = "") -> tuple[str, Container] | None:
    """Returns our path to the log file, and the container completed from its name; None when there is no file.

    Looks on this machine, then on the host (through PID 1, visible with hostPID).
    """
    roots = [root]
    host = procfs.namespace_inode(1, "mnt", proc)
    if host is not None and host != procfs.namespace_inode("self", "mnt", proc):
        roots.append(f"{proc}/1/root")
    for place in roots:
        if found := _by_container(container, place) or _by_pod(container, place):
            return found
    return None


def _by_container(container: Container, root: str) -> tuple[str, Container] | None:
    """Finds the link named after the container, whose name has the pod too."""
    if container.identity is None:
        return None
    names = glob.glob("*.log", root_dir=f"{root}/var/log/containers")  # noqa: PTH207 - ignores errors
    for name in sorted(names):
        if container.identity in name and (match := _BY_CONTAINER.fullmatch(name)):
            pod = container.pod or f"{match['namespace']}/{match['pod']}"
            path = _file(root, f"/var/log/containers/{name}")
            return (path, replace(container, pod=pod)) if path else None
    return None


def _by_pod(container: Container, root: str) -> tuple[str, Container] | None:
    if not container.pod and not container.uid:
        return None
    pod = (container.pod or "").replace("/", "_")
    folder = "_".join(glob.escape(part) if part else "*" for part in (pod, container.uid))
    logs: list[tuple[float, str, str]] = []
    names = glob.glob(f"{folder}/*/*.log", root_dir=f"{root}/var/log/pods")  # noqa: PTH207 - ignores errors
    for name in names:
        path = _file(root, f"/var/log/pods/{name}")
        if path:
            with suppress(OSError):
                logs.append((Path(path).stat().st_mtime, path, name.partition("/")[0]))
    if not logs:
        return None
    _at, path, folder = max(logs)
    namespace, name = folder.split("_")[:2] if folder.count("_") >= 2 else ("?", folder)
    return path, replace(container, pod=container.pod or f"{namespace}/{name}")


def _file(root: str, path: str) -> str | None:
    """Returns our path to a regular file; Docker's links lead to /var/lib/docker inside the root."""
    try:
        found = root + real_path(path, root)
        return found if Path(found).is_file() else None
    except OSError:
        return None
