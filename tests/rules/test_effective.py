"""The effective priority with each kind of track, also in reverse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kvtui.model.conf import ConfTrack
from kvtui.rules.vrrp.effective import effective
from kvtui.rules.vrrp.settings import settings_of
from tests.build import conf

(BASE,) = settings_of(conf()).values()


@pytest.mark.parametrize(
    ("kind", "weight", "reverse", "result", "said"),
    [
        ("script", 10, False, True, "100 + 10 (t) = 110"),
        ("script", 10, False, False, "100"),
        ("script", -10, False, False, "100 − 10 (t) = 90"),
        ("script", 10, True, True, "100 − 10 (t) = 90"),
        ("script", -10, True, False, "100 + 10 (t) = 110"),
        ("script", 0, False, False, "script t fails"),
        ("script", 0, True, True, "script t succeeds (reverse)"),
        ("script", 0, True, False, "100"),
        ("interface", 0, True, True, "interface t is up (reverse)"),
        ("file", 2, False, -5, "100 − 10 (t) = 90"),
        ("file", 2, True, -5, "100 + 10 (t) = 110"),
    ],
)
def test_a_track(kind: str, weight: int, reverse: bool, result: int, said: str) -> None:
    settings = replace(BASE, tracks=(ConfTrack(kind, "t", weight, reverse=reverse),))
    found = effective(settings, {(kind, "t"): result})
    assert (found.fault or found.text) == said
