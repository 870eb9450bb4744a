"""Damaged dumps: a parser reads them or raises IncompleteDumpError; it never fails in another way."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.keepalived.dumps.data_text import parse_check_data, parse_vrrp_data
from kvtui.backend.keepalived.dumps.json_dump import parse_json
from kvtui.backend.keepalived.dumps.text import IncompleteDumpError
from tests.dumps.samples import DATA_SAMPLES, JSON_SAMPLES, sample

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS: list[tuple[Callable[[str], object], tuple[str, ...]]] = [
    (parse_json, JSON_SAMPLES),
    (parse_vrrp_data, DATA_SAMPLES),
    (parse_check_data, ("example-2.2.7-check.data",)),
]
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["\n", " = ", ",", "\\'", "[", "]", "{", "}", '"', "null", "-1", "1e400", "     ", "   ", " ", ":", "/"]
    ),
)


@st.composite
def mutated(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    """Draws a sample with a few pieces removed or replaced."""
    text = sample(draw(st.sampled_from(names)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 80)))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


@pytest.mark.parametrize(("parse", "names"), PARSERS)
@given(data=st.data())
def test_mutated_dumps(parse: Callable[[str], object], names: tuple[str, ...], data: st.DataObject) -> None:
    with suppress(IncompleteDumpError):
        repr(parse(data.draw(mutated(names))))


@pytest.mark.parametrize(("parse", "names"), PARSERS)
@given(text=st.text())
def test_any_text(parse: Callable[[str], object], names: tuple[str, ...], text: str) -> None:
    assert names
    for part in (text, f"------< VRRP Topology >------\n{text}\n", f"[{text}]"):
        with suppress(IncompleteDumpError):
            parse(part)
