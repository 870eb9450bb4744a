"""Every document of the demo follows the contract."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.demo.source import demo_snapshot
from kvtui.backend.demo.story import CYCLE
from kvtui.model.vrrp import VrrpState
from kvtui.presenters.schema import schema
from kvtui.rules.observe import observe
from tests.documents import document

EPOCH = 1_700_000_000.0


@pytest.mark.parametrize("t", [0.0, 30.0, 62.0, 70.0, 85.3, 100.0, 555.5])
def test_every_moment_is_a_valid_document(t: float) -> None:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    seen = observe(demo_snapshot(t, EPOCH), demo_snapshot(max(0.0, t - 1), EPOCH).ipvs)
    jsonschema.validate(document(seen), schema(), format_checker=checker)


@given(st.floats(0, 10 * CYCLE))
@settings(deadline=None)
def test_the_node_holds_exactly_the_vips_that_it_is_master_of(t: float) -> None:
    vips = observe(demo_snapshot(t, EPOCH)).vips
    assert vips
    assert [v.present for v in vips] == [v.state is VrrpState.MASTER for v in vips]
