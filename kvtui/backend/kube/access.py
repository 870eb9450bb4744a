"""How to speak to one API server: the library's configuration, with what the library lacks.

The library reads kubeconfigs and service accounts, runs exec plugins and refreshes OIDC tokens. Done here, because
versions 36 and 37 do it otherwise than kubectl: the current context of several kubeconfigs (kubectl takes the first
file's), impersonation, NO_PROXY (36 knows neither ``*`` nor IPv6), ``proxy-url`` (36 ignores it), passwords of proxies.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies_environment

import urllib3
import yaml
from msgspec import Struct

from kvtui import __version__
from kvtui.backend.kube import library
from kvtui.backend.kube.discovery import HOST, PORT, ServiceAccount
from kvtui.backend.kube.errors import AccessError
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kvtui.backend.kube.discovery import ApiPlace, Kubeconfig

KEEPALIVE = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)
"""Socket options: the kernel notices a peer that vanished after 10 s of silence and three questions (tcp(7))."""


class Access(Struct, frozen=True):
    """An API and the credentials for it. ``headers`` lack the token; ``files`` are certificates and keys in memory."""

    server: str
    origin: str
    client: Any
    headers: urllib3.HTTPHeaderDict
    proxy: str | None = None
    files: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server!r}, {self.origin!r})"

    @property
    def expires(self) -> bool:
        return self.client.configuration.refresh_api_key_hook is not None

    def authorization(self) -> str | None:
        settings = self.client.configuration.auth_settings()
        return settings["BearerToken"]["value"] if "BearerToken" in settings else None


class PluginLog(logging.Handler):
    """Keeps what the library logs of a failed exec plugin, without secrets; None when it did not fail."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.outcome: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if match := re.search(r"process returned (-?\d+)", text):
            self.outcome = f"ended with status {match[1]}"
        elif match := re.search(r"No such file or directory: '([\w./+-]{1,200})'", text):
            self.outcome = f"is not installed ({match[1]})"
        else:
            self.outcome = "gave no credentials"


def load(place: ApiPlace) -> Access:
    """Runs exec plugins and token refreshes; raises AccessError, without secrets."""
    configuration = library.Configuration()
    proxy_url: str | None = None
    files: tuple[int, ...] = ()
    headers = urllib3.HTTPHeaderDict({"User-Agent": f"kvtui/{__version__}", "Accept": "application/json"})
    if isinstance(place, ServiceAccount):
        _load_account(place, configuration)
    else:
        proxy_url, files = _load_kubeconfig(place, configuration, headers)
    parts, port = _split(configuration.host, "the API's address")
    proxy = _set_proxy(configuration, place.origin, proxy_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AccessError(f"the API's address is not an http or https URL: {parts.scheme}://{parts.hostname or ''}")
    configuration.retries = False  # kvtui retries, and follows no redirects
    configuration.connection_pool_maxsize = 32  # kept open for the next request
    configuration.socket_options = list(KEEPALIVE)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    server = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    return Access(server, place.origin, library.ApiClient(configuration), headers, proxy, files)


def _split(url: str, what: str) -> tuple[SplitResult, int | None]:
    """Returns the parts of a URL, and its port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # the port is no number, or a bracket is missing; a password may be before the @
        raise AccessError(f"{what} is not an http or https URL: {plain(url.rpartition('@')[2])}") from None
    return parts, port


def _load_account(place: ServiceAccount, configuration: Any) -> None:
    """Reads the token; the library reads it again each minute, since the kubelet renews it on disk."""
    token, authority = (f"{place.folder}/{name}" for name in ("token", "ca.crt"))
    loader = library.InClusterConfigLoader(token, authority, environ={HOST: place.host, PORT: place.port})
    try:
        loader.load_and_set(configuration)
    except (OSError, library.ConfigException, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its token or ca.crt is missing or empty"
        raise AccessError(f"{place.origin} cannot be read: {why}") from None


def _load_kubeconfig(
    place: Kubeconfig, configuration: Any, headers: urllib3.HTTPHeaderDict
) -> tuple[str | None, tuple[int, ...]]:
    """Returns ``proxy-url``, and the descriptors of what is kept in memory."""
    paths, log = place.paths, PluginLog()
    logging.getLogger().addHandler(log)
    try:
        with _memory_folder() as folder:
            merged = library.kube_config.KubeConfigMerger(paths).config
            context = _context(merged, paths, place.context)
            loader = library.kube_config.KubeConfigLoader(
                config_dict=merged, active_context=context, config_base_path=None, temp_file_path=folder
            )
            loader.load_and_set(configuration)
            files = _move_to_memory(configuration, folder)
        chosen = merged["contexts"].get_with_name(context)["context"]
        cluster = merged["clusters"].get_with_name(chosen["cluster"])["cluster"]
        users = merged.safe_get("users") and merged["users"]
        user = users.get_with_name(chosen["user"], safe=True) if users and "user" in chosen else None
        if user is not None:
            impersonate(headers, user["user"].value)
        proxy_url = cluster.safe_get("proxy-url")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise AccessError(f"{paths} is not valid YAML{where}") from None
    except library.ConfigException as error:
        raise AccessError(f"{paths} is not a usable kubeconfig{_hint(str(error))}") from None
    except OSError as error:
        name = error.filename or "a file that it names"
        raise AccessError(f"{paths}: {name} cannot be read: {error.strerror}") from None
    except (TypeError, AttributeError, KeyError, ValueError):
        raise AccessError(f"{paths} is not a kubeconfig: required fields are missing") from None
    finally:
        logging.getLogger().removeHandler(log)
    if log.outcome:
        raise AccessError(
            f"the exec plugin of {paths} {log.outcome}: try `kubectl get nodes` with the same kubeconfig to see why"
        )
    return (str(proxy_url) if proxy_url else None), files


def _context(merged: Any, paths: str, wanted: str | None) -> str:
    """Returns the context to use: the wanted one, else the first file's current one, as kubectl does."""
    if merged is None:
        raise AccessError(f"{paths} is empty")
    names = [c.value["name"] if hasattr(c, "value") else c["name"] for c in merged.value.get("contexts") or []]
    known = ", ".join(map(str, names[:10])) or "none"
    chosen = wanted or next(filter(None, map(_current_context, paths.split(":"))), None)
    if not chosen:
        raise AccessError(f"{paths} has no current context: choose one with --context ({known})")
    if chosen not in names:
        raise AccessError(f'{paths} has no context "{chosen}"; it has: {known}')
    return chosen


def _current_context(path: str) -> str | None:
    content = yaml.safe_load(Path(path).expanduser().read_text())
    found = content.get("current-context")
    return str(found) if found else None


def impersonate(headers: urllib3.HTTPHeaderDict, user: Mapping[str, Any]) -> None:
    """Adds what a kubeconfig's user asks for (kubernetes.io, "User impersonation"); raises AccessError."""
    name = user.get("as")
    pairs = [("Impersonate-Uid", user["as-uid"])] if user.get("as-uid") else []
    pairs += [("Impersonate-Group", group) for group in user.get("as-groups") or ()]
    for extra, values in (user.get("as-user-extra") or {}).items():
        pairs += [(f"Impersonate-Extra-{quote(str(extra).lower(), safe='')}", value) for value in values or ()]
    if not name:
        if pairs:
            raise AccessError("the kubeconfig impersonates groups, a uid or extra fields without a user: set `as`")
        return
    for header, value in (("Impersonate-User", name), *pairs):
        if not str(value).isprintable():
            raise AccessError(f"the kubeconfig's {header} contains characters that cannot be printed")
        headers.add(header, str(value))


def _set_proxy(configuration: Any, origin: str, proxy_url: str | None) -> str | None:
    """Chooses the proxy as kubectl does; returns its host and port."""
    given, proxies = proxy_url, getproxies_environment()  # http_proxy before HTTP_PROXY, and so on
    if not given and not bypasses_proxy(configuration.host, proxies.get("no", "")):
        given = proxies.get(urlsplit(configuration.host).scheme)
    configuration.proxy = configuration.no_proxy = configuration.proxy_headers = None
    if not given:
        return None
    parts, _ = _split(given if "://" in given else f"http://{given}", f"the proxy of {origin}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AccessError(f'{origin} uses a proxy of the kind "{parts.scheme}"; only http and https are supported')
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        configuration.proxy_headers = urllib3.util.make_headers(proxy_basic_auth=secret)
    address = parts.netloc.rpartition("@")[2]
    configuration.proxy = f"{parts.scheme}://{address}"
    return address


def bypasses_proxy(server: str, no_proxy: str) -> bool:
    """Whether NO_PROXY excepts a server: a host, a suffix, host:port, a network (CIDR), or ``*``.

    Loopback addresses never go through a proxy of the environment, as in kubectl.
    """
    parts = urlsplit(server)
    host = (parts.hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in (e.strip().lower() for e in no_proxy.split(",")):
        if entry in {"*", host, f"{host}:{parts.port}", f"[{host}]:{parts.port}"}:
            return True
        if address is None and entry and host.endswith("." + entry.removeprefix("*").lstrip(".")):
            return True
        with contextlib.suppress(ValueError):
            if address is not None and address in ipaddress.ip_network(entry, strict=False):
                return True
    return False


@contextlib.contextmanager
def _memory_folder() -> Iterator[str]:
    """Yields a folder for the library's temporary files, in memory where there is a tmpfs: keys are among them."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - mkdtemp makes a private folder
    folder = tempfile.mkdtemp(prefix="kvtui-kube-", dir=parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        library.kube_config._cleanup_temp_files()  # noqa: SLF001 - it remembers the files that were just removed


def _move_to_memory(configuration: Any, folder: str) -> tuple[int, ...]:
    """Keeps certificates and keys that the library wrote to files as anonymous files in memory instead.

    OpenSSL reads them from a path for every connection, so they stay open.
    """
    files = []
    for name in ("ssl_ca_cert", "cert_file", "key_file"):
        path = getattr(configuration, name, None)
        if path and path.startswith(folder):
            memory = os.memfd_create("kvtui-tls", os.MFD_CLOEXEC)
            os.write(memory, Path(path).read_bytes())
            files.append(memory)
            setattr(configuration, name, f"/proc/self/fd/{memory}")
    return tuple(files)


def _hint(message: str) -> str:
    """Returns, of the library's messages, only the name of a missing key or file."""
    if match := re.search(r"Expected key ([\w-]{1,60}) in", message):
        return f": `{match[1]}` is missing"
    if match := re.search(r"Expected object with name ([\w.@:/-]{1,100}) in \S*?(\w+) list", message):
        return f': {match[2]} has no "{match[1]}"'
    if match := re.search(r"File does not exist: (\S{1,200})", message):
        return f": {match[1]} does not exist"
    return ""
