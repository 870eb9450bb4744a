"""A TCP connect on loopback: accepted, refused, unanswered, unreachable."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from kvtui.backend.connect import connect

TIMEOUT = 30.0


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=str)
async def test_a_connection_is_accepted_and_nothing_is_sent(family: int, address: str) -> None:
    if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with closing(socket.create_server((address, 0), family=socket.AddressFamily(family))) as server:
        port = server.getsockname()[1]
        result = await connect(address, port, TIMEOUT, clock=lambda: 7.0)
        accepted, _peer = server.accept()
        with closing(accepted):
            accepted.settimeout(TIMEOUT)
            assert accepted.recv(1) == b""  # the client closed without a byte
    assert (result.error, result.source, result.address, result.port, result.at) == (None, address, address, port, 7.0)
    assert 0 <= result.seconds < TIMEOUT


async def test_a_connection_is_refused_where_no_program_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    result = await connect("127.0.0.1", port, TIMEOUT)
    assert (result.error, result.source) == ("connection refused", None)


async def test_a_connection_without_an_answer_times_out() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        address, port = server.getsockname()
        waiting = []
        try:
            for _ in range(4):  # a full backlog drops every further SYN
                client = socket.socket()
                client.setblocking(False)  # noqa: FBT003
                client.connect_ex((address, port))
                waiting.append(client)
            result = await connect(address, port, 0.2)
        finally:
            for client in waiting:
                client.close()
    assert result.error == "no answer within 0.2 s"
    assert result.seconds >= 0.19


async def test_an_error_of_the_kernel_is_reported_as_it_is() -> None:
    assert (await connect("255.255.255.255", 80, TIMEOUT)).error in {"permission denied", "network is unreachable"}
