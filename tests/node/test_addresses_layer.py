"""What the addresses' source says while its table is read, followed and lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kvtui.backend.node.guard import SourceGuard
from kvtui.backend.node.network_layer import AddressesLayer
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
async def test_a_table_that_cannot_be_read_is_never_ok(
    table: AddressTable | None, error: OSError | None, expected: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Monitor:
        def __init__(self, _pid: int | None, **_options: Any) -> None:
            self.error = error
            self.busy_seconds = 0.0

        def table(self) -> AddressTable | None:
            return table

    monkeypatch.setattr("kvtui.backend.node.network_layer.RouteMonitor", Monitor)
    assert AddressesLayer(None, lambda: None, SourceGuard("the addresses")).source() == expected


async def test_it_reads_the_kernel_once_started() -> None:
    changes: list[Any] = []
    layer = AddressesLayer(None, lambda: changes.append(1), SourceGuard("the addresses"))
    layer.start()
    layer.start()  # a second time does nothing
    async with asyncio.timeout(60):
        await layer.ready()
    assert layer.source().state is SourceState.OK
    assert layer.table() is not None
    await layer.close()
    assert changes
