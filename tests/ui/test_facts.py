"""The facts of a journal entry, as sentences."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kvtui.presenters.journal import fact_lines

DRAINED = {
    "before": {"10.2.68.5:8080 in 10.4.0.50:80": {"weight": 1, "active": 4}},
    "on_the_wire": True,
    "seconds": 3.60546875,
    "owner": None,
    "vrrp": [{"instance": "vips", "vips_before": ["10.4.0.50", "10.4.0.51"]}],
    "ipvs": [],
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=12,
)


def test_facts_are_sentences() -> None:
    assert list(fact_lines(DRAINED)) == [
        "  before:",
        "    10.2.68.5:8080 in 10.4.0.50:80: weight 1, active 4",
        "  on the wire: yes",
        "  seconds: 3.61",
        "  owner: unknown",
        "  vrrp:",
        "    instance vips, vips before 10.4.0.50, 10.4.0.51",
        "  ipvs: none",
    ]


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_any_entry_of_the_journal_gives_lines_without_control_characters(facts: dict[str, object]) -> None:
    assert not [c for line in fact_lines(facts) for c in line if unicodedata.category(c)[0] == "C"]
