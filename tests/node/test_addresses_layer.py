"""The state of the addresses source while its table is unread, current or outdated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kvtui.backend.node.network import addresses_source
from kvtui.backend.route import RouteMonitor
from kvtui.model.addresses import AddressTable
from kvtui.model.source import Source, SourceName, SourceState
from tests.kit import NOW

TABLE = AddressTable((), (), NOW - 60)


@pytest.mark.parametrize(
    ("table", "error", "expected"),
    [
        (None, None, Source(SourceName.ADDRESSES, SourceState.UNAVAILABLE, "not read yet")),
        (
            None,
            PermissionError(1, "no"),
            Source(SourceName.ADDRESSES, SourceState.UNAVAILABLE, "addresses cannot be read: no"),
        ),
        (TABLE, None, Source(SourceName.ADDRESSES, SourceState.OK, "", NOW - 60)),
        (
            TABLE,
            OSError(105, "no"),
            Source(
                SourceName.ADDRESSES, SourceState.DEGRADED, "addresses cannot be read: no; shown as read last", NOW - 60
            ),
        ),
    ],
)
def test_states_of_the_addresses_source(
    table: AddressTable | None, error: OSError | None, expected: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RouteMonitor, "table", lambda _monitor: table)
    monkeypatch.setattr(RouteMonitor, "error", error)
    assert addresses_source(RouteMonitor(None)) == expected


async def test_the_table_is_read_after_the_start() -> None:
    changes: list[Any] = []
    monitor = RouteMonitor(None)
    monitor.start(lambda: changes.append(1))
    async with asyncio.timeout(60):
        await monitor.ready()
    assert addresses_source(monitor).state is SourceState.OK
    assert monitor.table() is not None
    await monitor.close()
    assert changes
