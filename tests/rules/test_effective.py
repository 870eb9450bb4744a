"""The effective priority with each kind of track, also in reverse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kvtui.model.conf import ConfTrack, SyncGroup
from kvtui.rules.vrrp.effective import effective
from kvtui.rules.vrrp.settings import settings_of
from tests.kit import conf

(BASE,) = settings_of(conf()).values()


@pytest.mark.parametrize(
    ("kind", "weight", "reverse", "result", "text"),
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
def test_a_track(kind: str, weight: int, reverse: bool, result: int, text: str) -> None:
    settings = replace(BASE, tracks=(ConfTrack(kind, "t", weight, reverse=reverse),))
    found = effective(settings, {(kind, "t"): result})
    assert (found.fault or found.text) == text


TRACKS = tuple(
    ConfTrack(kind, f"{kind} {weight}", weight) for kind in ("interface", "script", "file") for weight in (0, 1, -5)
)


@pytest.mark.parametrize(
    ("priority", "group", "left"),
    [
        (100, None, [(t.name, t.weight) for t in TRACKS]),
        (100, SyncGroup("G", ("vips",), tracks_weights=True), [(t.name, t.weight) for t in TRACKS]),
        (255, None, [("interface 0", 0), ("script 0", 0), ("file 0", 0), ("file 1", 0)]),
        (
            100,
            SyncGroup("G", ("vips", "other")),
            [
                ("interface 0", 0),
                ("interface 1", 0),
                ("interface -5", 0),
                ("script 0", 0),
                ("file 0", 0),
                ("file 1", 0),
            ],
        ),
    ],
    ids=["alone", "in a group that tracks weights", "address owner", "in a group"],
)
def test_weights_that_keepalived_ignores(priority: int, group: SyncGroup | None, left: list[tuple[str, int]]) -> None:
    """keepalived logs "ignoring tracked script chk with weights due to SYNC group" (measured with 2.2.7)."""
    base = conf()
    instance = replace(base.instances[0], priority=priority, tracks=TRACKS)
    (settings,) = settings_of(replace(base, instances=(instance,), sync_groups=(group,) if group else ())).values()
    assert [(t.name, t.weight) for t in settings.tracks] == left
