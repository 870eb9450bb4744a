"""Requests to one API server: credentials that are renewed, and what a status or an error means, in one sentence."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3

from kvtui.backend.kube import access, errors, library
from kvtui.backend.kube.discovery import ServiceAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kvtui.backend.kube.access import Access
    from kvtui.backend.kube.discovery import ApiPlace
    from kvtui.backend.kube.parse import JsonObject
    from kvtui.backend.kube.timing import Timing

MAX_SPACING_FACTOR = 20
"""Times ``Timing.renew``: at most so long between two readings of a kubeconfig that does not help."""
MAX_BODY_BYTES = 64 << 20
MAX_MESSAGE_CHARACTERS = 1000
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Session:
    """The API at one place; its methods may be called in any thread.

    ``plugin_hangs`` is called when reading the kubeconfig takes longer than a plugin may; the process should end.
    """

    def __init__(self, place: ApiPlace, timing: Timing, plugin_hangs: Callable[[str], None] = lambda _: None) -> None:
        self._place, self.timing, self._plugin_hangs = place, timing, plugin_hangs
        self._lock = threading.Lock()
        self._access: Access | None = None
        self._invalid = False
        self._access_error: errors.AccessError | None = None
        self._loaded_at = float("-inf")
        self._spacing = timing.renew
        self._stamp: object = None
        self._retired: tuple[int, ...] = ()
        self._identity: tuple[Access, str] | None = None
        self._condition = threading.Condition()
        self._recoveries = 0
        self.failing = False
        self.failed_at = float("-inf")
        """When the API could not be reached last (monotonic clock)."""

    @property
    def server(self) -> str:
        return self._access.server if self._access else ""

    def access(self) -> Access:
        """Raises AccessError where the kubeconfig, service account or plugin gives no credentials."""
        with self._lock:
            if self._access is not None and not self._invalid:
                return self._access
            now = time.monotonic()
            stamp = None if isinstance(self._place, ServiceAccount) else self._place.stamp()
            # Files are read as often as they are asked for; a plugin may ask a person, so longer from time to time.
            if stamp is not None and now - self._loaded_at < self._spacing and stamp == self._stamp:
                if self._access is None:
                    raise self._access_error or errors.AccessError("no credentials")
                return self._access
            self._loaded_at, self._stamp = now, stamp
            self._spacing = min(self._spacing * 2, MAX_SPACING_FACTOR * self.timing.renew)
            return self._load()

    def _load(self) -> Access:
        try:
            with self._plugin_watched():
                fresh = access.load(self._place)
        except errors.AccessError as error:
            self._access_error = error
            raise
        for descriptor in self._retired:
            os.close(descriptor)
        old = self._access
        self._retired = old.files if old is not None else ()
        if old is None or old.authorization() != fresh.authorization():
            self._spacing = self.timing.renew
        self._access, self._invalid = fresh, False
        return fresh

    @contextlib.contextmanager
    def _plugin_watched(self) -> Iterator[None]:
        sentence = f"{self._place.origin} gave no credentials within {self.timing.plugin:g} s: its plugin hangs"
        watchdog = threading.Timer(self.timing.plugin, self._plugin_hangs, [sentence])
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _authorization(self, api: Access) -> str | None:
        """Returns the token; one thread at a time, since the library may run a plugin when it has expired."""
        with self._lock, self._plugin_watched() if api.expires else contextlib.nullcontext():
            return api.authorization()

    def invalidate(self) -> None:
        """The API did not accept these credentials: the next request loads others (a plugin's token expired)."""
        with self._lock:
            self._invalid = True

    def get(self, target: str, *, what: str) -> JsonObject:
        """Returns the object at ``target`` (percent-encoded) or raises KubeError; ``what``: such as ``list pods``."""
        response = self.open("GET", target, what=what, read_timeout=self.timing.answer)
        return self._read(response, self.access())

    def open(
        self, method: str, target: str, *, what: str, read_timeout: float, body: JsonObject | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Sends a request, or raises KubeError; the body of the answer is still to be read."""
        api = self.access()
        try:
            headers = api.headers.copy()
            if body is not None:
                headers["Content-Type"] = "application/json"
            if authorization := self._authorization(api):
                if not authorization.isprintable():
                    raise errors.AccessError(f"the token of {api.origin} contains characters that a token cannot have")
                headers["Authorization"] = authorization
            timeout = (self.timing.connect, read_timeout)
            response: urllib3.BaseHTTPResponse = library.send(
                api.client, method, api.server + target, headers=headers, body=body, _request_timeout=timeout
            )
        except library.ApiException as error:
            if not error.status:
                raise self.explained(error, read_timeout, api) from None
            raise refusal(int(error.status), what, error.body, error.headers) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self.explained(error, read_timeout, api) from None
        if not 200 <= response.status < 300:
            raise refusal(response.status, what, self._body(response, api), response.headers)
        return response

    def explained(self, error: BaseException, timeout: float, api: Access | None = None) -> Exception:
        api = api or self.access()
        parts = urlsplit(api.server)
        peer = parts.netloc if parts.port else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
            timeout = self.timing.connect
        return explain(error, peer, api.proxy, timeout, api.origin)

    def _body(self, response: urllib3.BaseHTTPResponse, api: Access) -> bytes:
        body = bytearray()
        try:
            for piece in response.stream(decode_content=True):
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    response.close()
                    limit = f"{MAX_BODY_BYTES >> 20} MiB"
                    raise errors.UnexpectedAnswerError(f"{api.server} answers with more than {limit} at once")
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self.explained(error, self.timing.answer, api) from None
        response.release_conn()
        return bytes(body)

    def _read(self, response: urllib3.BaseHTTPResponse, api: Access) -> JsonObject:
        try:
            found = json.loads(self._body(response, api))
        except (ValueError, RecursionError):
            raise errors.UnexpectedAnswerError("the server does not answer like a Kubernetes API: not JSON") from None
        if not isinstance(found, dict):
            raise errors.UnexpectedAnswerError("the server does not answer like a Kubernetes API: not a JSON object")
        return found

    def identity(self) -> str | None:
        """Returns who kvtui is to the API (SelfSubjectReview, Kubernetes 1.28 and newer); None when it cannot answer.

        A ForbiddenError means that the API has not loaded its rights yet: everybody may ask (system:basic-user).
        """
        api = self.access()
        if self._identity is not None and self._identity[0] is api:
            return self._identity[1]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.open("POST", REVIEW, what="ask who kvtui is", read_timeout=self.timing.answer, body=body)
            name = str(self._read(answer, api)["status"]["userInfo"]["username"])
        except (errors.MissingError, KeyError, TypeError):
            return None
        self._identity = (api, name)
        return name

    def succeeded(self) -> None:
        """The API answered: watchers that pause try again at once."""
        with self._condition:
            if self.failing:
                self.failing = False
                self._recoveries += 1
                self._condition.notify_all()

    def failed(self) -> None:
        with self._condition:
            self.failing, self.failed_at = True, time.monotonic()

    def pause(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Waits; shorter when the API recovers meanwhile, or when ``stopped`` (then ``wake`` is called)."""
        with self._condition:
            before = self._recoveries
            self._condition.wait_for(lambda: stopped() or self._recoveries != before, seconds)

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()


def refusal(
    status: int, what: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
) -> errors.KubeError:
    """Returns what a status other than success means. A watch has the code of a Status object."""
    match status:
        case 401:
            return errors.UnauthorizedError(
                "the API does not accept these credentials (401): log in again, or renew the token or certificate "
                "in the kubeconfig"
            )
        case 403:
            return errors.ForbiddenError(f"no right to {what}", message=_message(body), verb=what.partition(" ")[0])
        case 404:
            return errors.MissingError(f"the API does not have what `{what}` asks for (404)")
        case 410:
            return errors.ExpiredError(f"the version that `{what}` resumes from is no longer there (410)")
        case _ if status == 429 or status >= 500:
            after = (headers or {}).get("Retry-After", "")  # both kinds of headers ignore case
            return errors.RejectedError(
                f"the API answers `{what}` with status {status}: it is overloaded or broken",
                float(after) if after.isdecimal() else None,
            )
        case _ if 300 <= status < 400:
            return errors.UnexpectedAnswerError(
                f"the server redirects `{what}` ({status}): it is not a Kubernetes API; "
                "check `server` in the kubeconfig"
            )
        case _:
            return errors.RejectedError(f"the API answers `{what}` with status {status}")


def _message(body: bytes | str | None) -> str:
    try:
        return str(json.loads(body or "")["message"])[:MAX_MESSAGE_CHARACTERS]
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""


def explain(error: BaseException, peer: str, proxy: str | None, timeout: float, origin: str) -> errors.KubeError:
    """Returns what an exception of a request means; ``timeout`` seconds were waited."""
    causes = _causes(error)

    def why(peer: str) -> str | None:
        return next((sentence for c in causes if (sentence := _why(c, peer, timeout))), None)

    if proxy is not None:
        for text in map(str, causes):
            if "Tunnel connection failed" in text:
                status = text.partition("failed: ")[2][:3]
                return errors.UnreachableError(f"the proxy {proxy} does not lead to {peer}: it answers {status}")
        if any(isinstance(c, urllib3.exceptions.ProxyError) for c in causes):
            sentence = why(f"the proxy {proxy}") or f"the proxy {proxy} cannot be reached"
            return errors.UnreachableError(f"{sentence}; the API {peer} itself was not asked")
    if any(isinstance(c, urllib3.exceptions.LocationValueError | UnicodeError) for c in causes):
        return errors.AccessError(f"{peer} cannot be connected to: {origin} names no usable host")
    no_http = (http.client.BadStatusLine, urllib3.exceptions.InvalidChunkLength)
    if any(isinstance(c, no_http) and not isinstance(c, ConnectionError) for c in causes):
        return errors.UnexpectedAnswerError(f"{peer} does not speak HTTP")
    return errors.UnreachableError(why(peer) or f"{peer} cut the connection")


def _causes(error: BaseException) -> list[BaseException]:
    """The innermost first."""
    chain: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one not in chain:
            chain.append(one)
            nested = (one.__cause__, one.__context__, getattr(one, "original_error", None), *one.args)
            waiting += [e for e in nested if isinstance(e, BaseException)]
    return chain[::-1]


def _why(error: BaseException, peer: str, timeout: float) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {peer} is not trusted ({error.verify_message}): "
                "compare the kubeconfig's certificate-authority with the cluster's"
            )
        case ssl.SSLError():
            return f"TLS with {peer} fails ({error.reason or 'no reason given'}): is that port the API's?"
        case socket.gaierror():
            return f"the name {peer.rpartition(':')[0]} cannot be resolved: check DNS, or the server in the kubeconfig"
        case ConnectionRefusedError():
            server = "the proxy" if peer.startswith("the proxy") else "the API server"
            return f"{peer} refuses connections: {server} does not run there"
        case http.client.RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
            return f"{peer} cut the connection"
        case TimeoutError() | urllib3.exceptions.TimeoutError():
            return f"{peer} does not answer within {timeout:g} s: is the API server up, and is a firewall between?"
        case OSError() if error.errno and error.errno in errno.errorcode:
            return f"{peer} cannot be reached: {os.strerror(error.errno)}"
        case _:
            return None
