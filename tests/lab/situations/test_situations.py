"""Runs each situation on real nodes and compares the plan's prediction with what happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.situations.carry_out import carry_out
from tests.lab.situations.rows import QUICK, ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster
    from tests.lab.situations.rows import Row
    from tests.lab.spec import ClusterSpec

    MakeCluster = Callable[[ClusterSpec], Cluster]


def params() -> list[Any]:
    assert {row.name for row in ROWS} >= QUICK
    return [
        pytest.param(
            row, id=row.name, marks=[pytest.mark.lab(spec=row.spec), *([] if row.name in QUICK else [pytest.mark.long])]
        )
        for row in ROWS
    ]


@pytest.mark.parametrize("row", params())
def test_a_situation(row: Row, make_cluster: MakeCluster, record_property: Callable[[str, object], None]) -> None:
    result = carry_out(row, make_cluster(row.spec))
    record_property("situation", json.dumps(result))
    wrong = [(i["predicted"]["certainty"], w) for i in result["instances"] for w in i["wrong"]]
    wrong += [("certain", w) for i in result["services"] for w in i["wrong"]]
    assert not wrong, json.dumps(result, indent=1)
    for part in row.parts:
        assert part in "\n".join(result["effects"])
