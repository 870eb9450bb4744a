"""What keeps a request from being answered: urllib3's exceptions as one clear sentence."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl

from urllib3 import exceptions as urllib3_errors

from kvtui.backend.kube.errors import AccessError, KubeError, UnexpectedAnswerError, UnreachableError

KEEPALIVE = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000),
)
"""Socket options: the kernel notices a peer that vanished after 10 s of silence and three questions (tcp(7))."""


def explain(error: BaseException, peer: str, proxy: str | None, timeout: float, origin: str) -> KubeError:
    """Returns what an exception of a request means; ``timeout`` seconds were waited."""
    causes = _causes(error)

    def why(peer: str) -> str | None:
        return next((sentence for c in causes if (sentence := _why(c, peer, timeout))), None)

    if proxy is not None:
        for text in map(str, causes):
            if "Tunnel connection failed" in text:
                status = text.partition("failed: ")[2][:3]
                return UnreachableError(f"the proxy {proxy} does not lead to {peer}: it answers {status}")
        if any(isinstance(c, urllib3_errors.ProxyError) for c in causes):
            sentence = why(f"the proxy {proxy}") or f"the proxy {proxy} cannot be reached"
            return UnreachableError(f"{sentence}; the API {peer} itself was not asked")
    if any(isinstance(c, urllib3_errors.LocationValueError | UnicodeError) for c in causes):
        return AccessError(f"{peer} cannot be connected to: {origin} names no usable host")
    no_http = (http.client.BadStatusLine, urllib3_errors.InvalidChunkLength)
    if any(isinstance(c, no_http) and not isinstance(c, ConnectionError) for c in causes):
        return UnexpectedAnswerError(f"{peer} does not speak HTTP")
    return UnreachableError(why(peer) or f"{peer} cut the connection")


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
        case TimeoutError() | urllib3_errors.TimeoutError():
            return f"{peer} does not answer within {timeout:g} s: is the API server up, and is a firewall between?"
        case OSError() if error.errno and error.errno in errno.errorcode:
            return f"{peer} cannot be reached: {os.strerror(error.errno)}"
        case _:
            return None
