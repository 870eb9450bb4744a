"""HTTP/1.1 over asyncio's streams, as much as a Kubernetes API needs: GET, chunked answers read as they come.

A watch is one answer that goes on for minutes, so what counts is that its pieces are handed on at once, that it can be
dropped at any moment, and that a dead peer is noticed.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from kvtui import __version__
from kvtui.backend.kube.errors import BadAccess, Nonsense, Unreachable
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kvtui.backend.kube.credentials import Credentials
    from kvtui.backend.kube.timing import Timing

PIECE = 64 << 10
HEAD = 64 << 10
"""Bytes: as long as the head of an answer may be."""
AGENT = f"kvtui/{__version__}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a URL leads.

    Attributes:
        host: name or address.
        port: TCP.
        path: prefix of every path there, without a slash at its end.
    """

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str, what: str) -> Self:
        """Take a URL apart.

        Raises:
            BadAccess: it is no http or https URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise BadAccess(f"{what} is no URL: {url}") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadAccess(f"{what} is no http or https URL: {parts.scheme}://{parts.hostname or ''}")
        return cls(parts.hostname, port, parts.path.rstrip("/"))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connection:
    """One connection; one request after another on it. Close it when done with it.

    Attributes:
        heard: when something came last (event loop's clock).
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, credentials: Credentials, timing: Timing
    ) -> None:
        self._reader, self._writer = reader, writer
        self._credentials, self._timing = credentials, timing
        self._address = Address.of(credentials.server, "the API's address")
        self.heard = asyncio.get_running_loop().time()

    @classmethod
    async def open(cls, credentials: Credentials, tls: ssl.SSLContext | None, timing: Timing) -> Self:
        """Connect.

        Raises:
            Unreachable: the network, the name, or TLS.
            BadAccess: an unusable address.
        """
        address = Address.of(credentials.server, "the API's address")
        try:
            async with asyncio.timeout(timing.connect):
                if credentials.proxy:
                    reader, writer = await _through_proxy(address, credentials, tls)
                else:
                    name = (credentials.server_name or address.host) if tls else None
                    reader, writer = await asyncio.open_connection(
                        address.host, address.port, ssl=tls, server_hostname=name, limit=PIECE
                    )
        except (OSError, EOFError) as error:
            raise Unreachable(_why(error, str(address), timing.connect)) from None
        except (ValueError, asyncio.LimitOverrunError):  # a host that is no name, a head that does not end
            raise BadAccess(f"{address} cannot be connected to: {credentials.origin} names no usable host") from None
        _watch_peer(writer)
        return cls(reader, writer, credentials, timing)

    async def get(self, target: str, *, accept: str = "application/json") -> Response:
        """Ask; the body is read from the response.

        Args:
            target: path and query, percent-encoded.
            accept: media type.

        Raises:
            Unreachable: the connection was cut, or no answer came in time.
            Nonsense: the answer is not HTTP.
        """
        lines = [
            f"GET {self._address.path}{target} HTTP/1.1",
            f"Host: {self._address}",
            f"User-Agent: {AGENT}",
            f"Accept: {accept}",
        ]
        if self._credentials.authorization:
            lines.append(f"Authorization: {self._credentials.authorization}")
        if any(not line.isprintable() for line in lines):
            raise BadAccess(f"the token of {self._credentials.origin} holds characters that no token has")
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            async with asyncio.timeout(self._timing.answer):
                await self._writer.drain()
                head = await self._reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError) as error:
            raise Unreachable(_why(error, str(self._address), self._timing.answer)) from None
        except asyncio.LimitOverrunError:
            raise Nonsense(f"{self._address} does not answer as a Kubernetes API does") from None
        self.heard = asyncio.get_running_loop().time()
        return Response(head, self, str(self._address))

    async def read(self, most: int) -> bytes:
        """What has come, at most so many bytes, at least one.

        Raises:
            Unreachable: the connection ended.
        """
        try:
            data = await self._reader.read(most)
        except OSError as error:
            raise Unreachable(_why(error, str(self._address), 0)) from None
        if not data:
            raise Unreachable(f"{self._address} cut the connection")
        self.heard = asyncio.get_running_loop().time()
        return data

    async def line(self) -> bytes:
        """One line, without its end.

        Raises:
            Unreachable: the connection ended.
            Nonsense: it is endless.
        """
        try:
            return (await self._reader.readuntil(b"\r\n"))[:-2]
        except asyncio.LimitOverrunError:
            raise Nonsense(f"{self._address} does not answer as a Kubernetes API does") from None
        except (OSError, EOFError) as error:
            raise Unreachable(_why(error, str(self._address), 0)) from None

    def close(self) -> None:
        """Drop it; nothing is waited for."""
        self._writer.transport.abort()


class Response:
    """The answer to one request.

    Args:
        head: status line and headers.
        connection: where the body comes from.
        peer: whose answer it is, for messages.

    Attributes:
        status: such as 200.
        headers: names in small letters.
        finished: the body was read to its end, so the connection can serve another request.
    """

    def __init__(self, head: bytes, connection: Connection, peer: str) -> None:
        first, *rest = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            raise Nonsense(f"{peer} does not speak HTTP")
        self.status = int(words[1])
        pairs = (line.partition(":") for line in rest if ":" in line)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._connection, self._peer = connection, peer
        self.finished = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Unreachable: it was cut before its end.
            Nonsense: it is framed in a way that HTTP does not know.
        """
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            async for piece in self._chunks():
                yield piece
        elif (length := self.headers.get("content-length", "")).isdecimal():
            async for piece in self._exactly(int(length)):
                yield piece
        else:
            raise Nonsense(f"{self._peer} does not answer as a Kubernetes API does")
        self.finished = self.headers.get("connection", "").lower() != "close"

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := self._size(await self._connection.line()):
            async for piece in self._exactly(size):
                yield piece
            await self._connection.line()
        while await self._connection.line():  # trailers
            pass

    def _size(self, line: bytes) -> int:
        try:
            return int(line.partition(b";")[0], 16)
        except ValueError:
            raise Nonsense(f"{self._peer} does not speak HTTP") from None

    async def _exactly(self, left: int) -> AsyncIterator[bytes]:
        while left:
            piece = await self._connection.read(min(left, PIECE))
            left -= len(piece)
            yield piece

    async def body(self, timeout: float, most: int = 64 << 20) -> bytes:
        """The whole body.

        Args:
            timeout: seconds in which it must be there.
            most: bytes.

        Raises:
            Unreachable: it was cut, or is too slow.
            Nonsense: it is larger than that.
        """
        parts: list[bytes] = []
        total = 0
        try:
            async with asyncio.timeout(timeout):
                async for piece in self.pieces():
                    parts.append(piece)
                    total += len(piece)
                    if total > most:
                        raise Nonsense(f"{self._peer} answers with more than {most >> 20} MiB at once")
        except TimeoutError:
            raise Unreachable(f"{self._peer} sends so slowly that nothing was whole within {timeout:g} s") from None
        return b"".join(parts)


async def _through_proxy(
    address: Address, credentials: Credentials, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A tunnel (CONNECT), plain or TLS inside."""
    parts = urlsplit(credentials.proxy or "")
    if parts.scheme != "http":
        raise BadAccess(f"{credentials.origin} names a proxy of the kind «{parts.scheme}»; only http:// is supported")
    proxy = Address.of(f"http://{(credentials.proxy or '').rpartition('@')[2].removeprefix('http://')}", "the proxy")
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port, limit=PIECE)
    request = f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n"
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request += f"Proxy-Authorization: Basic {base64.b64encode(secret.encode()).decode()}\r\n"
    try:
        writer.write(f"{request}\r\n".encode())
        _check_tunnel(await reader.readuntil(b"\r\n\r\n"), proxy, address)
        if tls is not None:
            await writer.start_tls(tls, server_hostname=credentials.server_name or address.host)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


def _check_tunnel(head: bytes, proxy: Address, address: Address) -> None:
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        said = status[0].decode("ascii", "replace")[:3] if status else "nothing"
        raise Unreachable(f"the proxy {proxy} does not lead to {address}: it answers {said}")


def _watch_peer(writer: asyncio.StreamWriter) -> None:
    """Let the kernel notice a peer that vanished: 10 s of silence, then three questions 5 s apart (tcp(7))."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000)


def _why(error: BaseException, peer: str, timeout: float) -> str:  # noqa: PLR0911 - one case each
    """One clear sentence."""
    match error:
        case TimeoutError() if timeout:
            return f"{peer} does not answer within {timeout:g} s: is the API server up, and is a firewall between?"
        case TimeoutError():
            return f"{peer} no longer answers"
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {peer} is not trusted ({error.verify_message}): "
                "compare the kubeconfig's certificate-authority with the cluster's"
            )
        case ssl.SSLError():
            return f"TLS with {peer} fails ({error.reason or 'no reason given'}): is that port the API's?"
        case socket.gaierror():
            return f"the name {peer.rpartition(':')[0]} cannot be resolved: check DNS, or the server in the kubeconfig"
        case OSError() if error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error):
            # The latter is asyncio's summary of several addresses.
            return f"{peer} refuses connections: the API server does not run there"
        case ConnectionError() | EOFError():
            return f"{peer} cut the connection"
        case OSError():
            return (
                f"{peer} cannot be reached: {os.strerror(error.errno) if error.errno else 'no address of it answers'}"
            )
        case _:
            return f"{peer} cannot be reached"
