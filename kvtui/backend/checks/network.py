"""TCP_CHECK, HTTP_GET and SSL_GET, from keepalived's network namespace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING

from kvtui.backend.linux.namespaces import open_in_network
from kvtui.model.check import CheckResult
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from kvtui.model.check import Check, Url

MAX_ANSWER_BYTES = 1 << 20
_STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})")
KINDS = frozenset({"TCP_CHECK", "HTTP_GET", "SSL_GET"})


async def run_network_check(check: Check, pid: int) -> CheckResult:
    began = time.monotonic()
    where = endpoint(check.address or "", check.port)
    passed: bool | None = False
    try:
        if check.kind == "TCP_CHECK":
            async with asyncio.timeout(check.timeout):
                (await _connected(check, pid)).close()
            detail = "connected"
        else:
            detail = await _all_urls(check, pid)
        passed = True
    except _CannotTellError as why:
        passed, detail = None, str(why)
    except PermissionError as error:
        passed, detail = None, error.strerror or "no permission"
    except _WrongAnswerError as why:
        detail = str(why)
    except TimeoutError:
        detail = "no answer"
    except ssl.SSLError as error:
        detail = f"no TLS: {error.reason or error.strerror}"
    except OSError as error:
        detail = os.strerror(error.errno).lower() if error.errno else str(error)
    return CheckResult(check, passed, f"{where}: {detail}", seconds=time.monotonic() - began)


class _WrongAnswerError(Exception):
    """An answer that does not pass."""


class _CannotTellError(Exception):
    """kvtui cannot judge this check."""


async def _connected(check: Check, pid: int) -> socket.socket:
    address = check.address or ""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = await asyncio.to_thread(open_in_network, pid, lambda: socket.socket(family, socket.SOCK_STREAM))
    try:
        client.setblocking(False)  # noqa: FBT003 - its only argument
        if check.bind:
            client.bind((check.bind, 0))
        await asyncio.get_running_loop().sock_connect(client, (address, check.port))
    except BaseException:
        client.close()
        raise
    return client


async def _all_urls(check: Check, pid: int) -> str:
    answers = []
    for url in check.urls:
        async with asyncio.timeout(check.timeout):
            status, body = await _get(check, url, pid)
        name = f"{url.path} answers {status}"
        if not any(low <= status <= high for low, high in url.statuses):
            wanted = " ".join(str(low) if low == high else f"{low}-{high}" for low, high in url.statuses)
            raise _WrongAnswerError(f"{name}, not {wanted}")
        if url.digest and hashlib.md5(body, usedforsecurity=False).hexdigest() != url.digest.lower():
            raise _WrongAnswerError(f"{name} with another text than the digest's")
        if url.regex:
            raise _CannotTellError(f"{name}; kvtui does not try its regex")
        answers.append(name)
    return ", ".join(answers)


async def _get(check: Check, url: Url, pid: int) -> tuple[int, bytes]:
    context = None
    if check.kind == "SSL_GET":  # keepalived verifies no certificate
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    client = await _connected(check, pid)
    host = url.virtualhost or check.virtualhost or endpoint(check.address or "", check.port)
    reader, writer = await asyncio.open_connection(
        sock=client, ssl=context, server_hostname="" if context else None, limit=MAX_ANSWER_BYTES
    )
    try:
        request = f"GET {url.path} HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: {host}\r\n\r\n"
        writer.write(request.encode("utf-8", "surrogateescape"))
        answer = b""
        while len(answer) < MAX_ANSWER_BYTES and (data := await reader.read(65536)):
            answer += data
    finally:
        writer.close()
    match = _STATUS.match(answer)
    if match is None:
        raise _WrongAnswerError("the answer is not HTTP")
    return int(match[1]), answer.partition(b"\r\n\r\n")[2]
