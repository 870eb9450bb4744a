"""Where an API might be configured: looked for in this order, nothing is asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.kube.credentials import Credentials
from kvtui.backend.kube.errors import BadAccess, NotConfigured, NotWanted
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.settings import KubeSettings

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NOT_ASKED = "not asked (--no-kube): mappings are read from keepalived.conf"
NOT_CONFIGURED = (
    "no Kubernetes API is configured here, so mappings are read from keepalived.conf; --kubeconfig FILE names one"
)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The API as a pod finds it (kubernetes.io, "Accessing the Kubernetes API from a Pod").

    Attributes:
        server: URL.
        folder: where ``token`` and ``ca.crt`` are.
    """

    server: str
    folder: str

    def credentials(self) -> Credentials:
        """Read anew each time: the kubelet renews the token about every hour.

        Raises:
            BadAccess: a file is unreadable.
        """
        try:
            token = Path(self.folder, "token").read_text().strip()
            ca = Path(self.folder, "ca.crt").read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise BadAccess(f"the service account in {self.folder} cannot be read: {why}") from None
        origin = "the pod's service account"
        return Credentials(self.server, origin, authorization=f"Bearer {token}" if token else None, ca=ca)


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """One file, or several joined by colons as in ``$KUBECONFIG``.

    Attributes:
        paths: the files.
        context: None for the current one.
    """

    paths: str
    context: str | None

    @property
    def origin(self) -> str:
        """For an operator."""
        return f"kubeconfig {self.paths}" + (f" (context {self.context})" if self.context else "")

    def stamp(self) -> tuple[object, ...]:
        """Changes when a file does."""
        found: list[object] = []
        for path in self.paths.split(":"):
            try:
                status = Path(path).stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


def find(
    settings: KubeSettings, environ: Mapping[str, str] | None = None, account: str = ACCOUNT
) -> ServiceAccount | Kubeconfig:
    """What the options name, else the pod's service account, else ``$KUBECONFIG``, else ``~/.kube/config``.

    Args:
        settings: what the command line says.
        environ: instead of the process's own.
        account: where a pod's service account is mounted.

    Raises:
        NotWanted: the options say not to ask.
        NotConfigured: nothing of that is there.
        BadAccess: a file that was named is not there or is unreadable.
    """
    environ = os.environ if environ is None else environ
    if not settings.wanted:
        raise NotWanted(NOT_ASKED)
    if settings.kubeconfig:
        return Kubeconfig(_readable(settings.kubeconfig, "--kubeconfig"), settings.context)
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if settings.context is None and host and port and Path(account, "token").exists():
        return ServiceAccount(f"https://{f'[{host}]' if ':' in host else host}:{port}", account)
    if named := environ.get("KUBECONFIG"):
        there = [path for path in named.split(":") if path and Path(path).expanduser().exists()]
        if not there:
            raise BadAccess(f"$KUBECONFIG names {named}, which is not there: name another with --kubeconfig FILE")
        return Kubeconfig(":".join(_readable(path, "$KUBECONFIG") for path in there), settings.context)
    default = Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"
    if default.exists():
        return Kubeconfig(_readable(str(default), "the default kubeconfig"), settings.context)
    if settings.context is not None:
        raise BadAccess(f"--context {settings.context} needs a kubeconfig, and none is here: name it with --kubeconfig")
    raise NotConfigured(NOT_CONFIGURED)


def _readable(path: str, named_by: str) -> str:
    try:
        with Path(path).expanduser().open("rb"):
            return str(Path(path).expanduser())
    except OSError as error:
        raise BadAccess(f"{named_by} {path} cannot be read: {error.strerror}") from None
