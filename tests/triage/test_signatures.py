"""An unfinished roll-out of auth_hmac, found from the adverts; each case was recorded with keepalived 2.4.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.finding import Severity
from kvtui.model.vrrp import AuthHmac, HmacMode, HmacTrailer
from tests.kit import NOW, advertiser, keepalived
from tests.triage.case import backup, conf, suspected

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.vrrp import Advertiser

ENFORCE = AuthHmac(HmacMode.ENFORCE, 1, (1, 2), 5)
PERMISSIVE, RECEIVE_ONLY = (replace(ENFORCE, mode=mode) for mode in (HmacMode.PERMISSIVE, HmacMode.RECEIVE_ONLY))


def trailer(at: float = NOW - 0.5, *, key: int = 1, scheme: int = 1) -> HmacTrailer:
    return HmacTrailer(scheme, key, int(at * 65536) << 16)


def other(hmac: HmacTrailer | None) -> Advertiser:
    known = advertiser(2)
    return replace(known, last=replace(known.last, hmac=hmac))


def found(mine: AuthHmac | None, heard: Advertiser, version: str = "2.4.3") -> dict[str, Finding]:
    base = conf()
    running = replace(base, instances=(replace(base.instances[0], auth_hmac=mine),))
    changes = {"conf": running, "running": running, "keepalived": (keepalived(version=version),)}
    return {k: f for k, f in suspected(backup(advertisers=(heard,), **changes)).items() if k.startswith("hmac")}


@pytest.mark.parametrize(
    ("mine", "heard"),
    [
        (None, None),
        (RECEIVE_ONLY, None),
        (RECEIVE_ONLY, trailer()),
        (PERMISSIVE, trailer()),
        (PERMISSIVE, trailer(key=2)),
        (ENFORCE, trailer()),
        (ENFORCE, trailer(NOW - 0.5 - 2)),
        (replace(ENFORCE, time_window=None), trailer(NOW - 1000)),
        (replace(ENFORCE, key_ids=None), trailer(key=9)),
    ],
)
def test_no_step_of_a_working_roll_out_is_reported(mine: AuthHmac | None, heard: HmacTrailer | None) -> None:
    assert found(mine, other(heard)) == {}


@pytest.mark.parametrize(
    ("mine", "severity", "text"),
    [(ENFORCE, Severity.CRITICAL, "requires it"), (PERMISSIVE, Severity.WARNING, "signs")],
)
def test_a_node_that_does_not_sign(mine: AuthHmac, severity: Severity, text: str) -> None:
    (finding,) = found(mine, other(None)).values()
    assert (finding.id, finding.severity) == ("hmac-unsigned", severity)
    assert text in finding.title
    order = [finding.remedy.index(mode) for mode in ("receive-only", "then mode permissive", "then enforce")]
    assert order == sorted(order)


@pytest.mark.parametrize(("version", "upgrade"), [("2.4.3", False), ("2.2.7", True)])
def test_a_node_that_signs_before_this_one_can_verify(version: str, upgrade: bool) -> None:
    (finding,) = found(None, other(trailer(key=7)), version).values()
    assert (finding.id, finding.severity) == ("hmac-not-configured", Severity.CRITICAL)
    assert "signed with key 7" in finding.evidence[1]
    assert finding.remedy.startswith("set mode receive-only in auth_hmac on every node that signs")
    assert ("too old" in finding.remedy) == upgrade


def test_an_old_keepalived_ignores_the_block() -> None:
    assert list(found(ENFORCE, other(trailer()), "2.3.3")) == ["hmac-not-configured"]
    assert found(ENFORCE, other(None), "2.3.3") == {}


@pytest.mark.parametrize("mine", [RECEIVE_ONLY, PERMISSIVE, ENFORCE])
def test_a_key_that_this_node_lacks_is_rejected_in_every_mode(mine: AuthHmac) -> None:
    (finding,) = found(mine, other(trailer(key=9))).values()
    assert (finding.id, finding.severity) == ("hmac-unknown-key", Severity.CRITICAL)
    assert "keys here: 1, 2, active 1 (conf)" in finding.evidence


@pytest.mark.parametrize(
    ("skew", "severity"),
    [(6, Severity.CRITICAL), (-6, Severity.CRITICAL), (3, Severity.WARNING), (-3, Severity.WARNING)],
)
def test_clocks_that_differ(skew: float, severity: Severity) -> None:
    (finding,) = found(ENFORCE, other(trailer(NOW - 0.5 - skew))).values()
    assert (finding.id, finding.severity) == ("hmac-stale", severity)
    assert f"{abs(skew)}.0 s {'late' if skew > 0 else 'early'}" in finding.title


def test_an_unknown_scheme() -> None:
    assert found(ENFORCE, other(trailer(scheme=7)))["hmac-malformed"].severity is Severity.CRITICAL


@pytest.mark.parametrize(("count", "ago", "is_reported"), [(1, 1.0, False), (2, 1.0, True), (2, 61.0, False)])
def test_replays(count: int, ago: float, is_reported: bool) -> None:
    heard = replace(other(trailer()), replayed=count, replayed_at=NOW - ago)
    assert list(found(ENFORCE, heard)) == (["hmac-replay"] if is_reported else [])
