"""Finds where an API is configured; nothing is asked there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.kube.errors import AccessError, NotConfiguredError, NotWantedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.model.settings import KubeSettings

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ACCOUNT_IN_ROOT = (("run", "secrets", "kubernetes.io", "serviceaccount"), ("var", *ACCOUNT.split("/")[2:]))
"""Folders of another container's service account below its root; ``/var/run`` is mostly a link to ``/run``."""
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


class ServiceAccount(Struct, frozen=True, tag=True):
    """The API as a pod finds it; ``folder`` has ``token`` and ``ca.crt``."""

    host: str
    port: str
    folder: str

    @property
    def origin(self) -> str:
        whose = "the controller's" if self.folder.startswith("/proc/") else "the pod's"
        return f"{whose} service account ({self.folder})"


class Kubeconfig(Struct, frozen=True, tag=True):
    """One file, or several joined by colons as in ``$KUBECONFIG``; without a context the current one."""

    paths: str
    context: str | None

    @property
    def origin(self) -> str:
        return f"kubeconfig {self.paths}" + (f" (context {self.context})" if self.context else "")

    def stamp(self) -> tuple[object, ...]:
        """Changes when a file does."""

        def stamp(path: str) -> tuple[int, ...] | None:
            try:
                status = Path(path).stat()
            except OSError:
                return None
            return status.st_mtime_ns, status.st_size, status.st_ino

        return tuple(map(stamp, self.paths.split(":")))


ApiPlace = ServiceAccount | Kubeconfig


def find(
    settings: KubeSettings,
    environ: Mapping[str, str] | None = None,
    account: str = ACCOUNT,
    controllers: Iterable[int] = (),
    proc: str = "/proc",
) -> ApiPlace:
    """Returns the API that the options name, else the first that is configured here.

    In this order: the pod's service account, ``$KUBECONFIG``, ``~/.kube/config``, the service account of one of the
    processes ``controllers``: a debug container has none of its own.

    Raises:
        NotWantedError: the options say not to ask.
        NotConfiguredError: nothing of that is there.
        AccessError: a file that was named is not there or is unreadable.
    """
    environ = os.environ if environ is None else environ
    if not settings.wanted:
        raise NotWantedError("not asked (--no-kube): mappings are read from keepalived.conf")
    if settings.kubeconfig:
        return Kubeconfig(_readable(settings.kubeconfig, "--kubeconfig"), settings.context)
    host, port = environ.get(HOST), environ.get(PORT)
    if settings.context is None and host and port and Path(account, "token").exists():
        return ServiceAccount(host, port, account)
    if named := environ.get("KUBECONFIG"):
        there = [path for path in named.split(":") if path and Path(path).expanduser().exists()]
        if not there:
            raise AccessError(f"$KUBECONFIG names {named}, which does not exist: name another with --kubeconfig FILE")
        return Kubeconfig(":".join(_readable(path, "$KUBECONFIG") for path in there), settings.context)
    default = Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"
    if default.exists():
        return Kubeconfig(_readable(str(default), "the default kubeconfig"), settings.context)
    if settings.context is not None:
        raise AccessError(
            f"--context {settings.context} needs a kubeconfig, and none is here: name it with --kubeconfig"
        )
    for pid in controllers:
        if found := account_of_process(pid, environ, proc):
            return found
    raise NotConfiguredError(
        "no Kubernetes API is configured here, so mappings are read from keepalived.conf; --kubeconfig FILE names one"
    )


def account_of_process(pid: int, environ: Mapping[str, str], proc: str = "/proc") -> ServiceAccount | None:
    """Returns the service account that another container's process has; None without one, or without SYS_PTRACE.

    ``environ`` is kvtui's own: it names the API in a debug container too.
    """
    here = Path(proc, str(pid))
    try:
        content = (here / "environ").read_bytes()
    except OSError:
        return None
    theirs = dict(pair.partition("=")[::2] for pair in content.decode("utf-8", "replace").split("\0"))
    host, port = environ.get(HOST) or theirs.get(HOST), environ.get(PORT) or theirs.get(PORT)
    folder = next((f for parts in ACCOUNT_IN_ROOT if (f := _folder_in_root(here / "root", parts))), None)
    return ServiceAccount(host, port, str(folder)) if host and port and folder else None


def _folder_in_root(root: Path, parts: tuple[str, ...]) -> Path | None:
    """Returns the folder when a service account is readable in it; a link would be followed from kvtui's own root."""
    folder = root
    for part in parts:
        folder /= part
        if folder.is_symlink():
            return None
    try:
        with (folder / "token").open("rb"), (folder / "ca.crt").open("rb"):
            return folder
    except OSError:
        return None


def _readable(path: str, named_by: str) -> str:
    try:
        with Path(path).expanduser().open("rb"):
            return str(Path(path).expanduser())
    except OSError as error:
        raise AccessError(f"{named_by} {path} cannot be read: {error.strerror}") from None
