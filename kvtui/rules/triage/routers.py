"""VRRP instances with the adverts of their VRID: the input of most rules about masters."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.model.keepalived import Version, parse_version
from kvtui.model.vrrp import Advertiser, VrrpInstance, VrrpState
from kvtui.rules.identity_cache import IdentityCache
from kvtui.rules.triage.rule import Findings, finding
from kvtui.rules.vrrp.claims import live
from kvtui.rules.vrrp.instances import heard_of, known_instances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kvtui.model.conf import ConfInstance
    from kvtui.model.finding import Finding, Severity
    from kvtui.model.observation import InstanceView, Observation
    from kvtui.model.snapshot import Snapshot

OWNER_PRIORITY = 255
"""Owns the addresses: keepalived ignores every weight and drops adverts from other nodes (vrrp.c)."""
WITHOUT_VIPS = frozenset({VrrpState.BACKUP, VrrpState.FAULT})
"""States in which an instance must not hold its VIPs."""
SILENCED_SECONDS = 300.0
"""A node that fell silent this long ago without stepping down may still hold the VIPs."""
GROWN_SECONDS = 60.0
"""A counter that grew this long ago still grows: dumps may be 30 s apart."""


class InstanceRouter(Struct, frozen=True):
    """An instance of this node and all advertisers of its VRID, IP version and interface.

    Attributes:
        instance: from keepalived's dump, else from its config.
        own: this node's adverts; None if none were captured.
        others: other nodes, including silent ones.
    """

    observation: Observation
    instance: VrrpInstance
    view: InstanceView
    own: Advertiser | None
    others: tuple[Advertiser, ...]
    now: float

    def finding(
        self, ident: str, severity: Severity, title: str, *evidence: str, remedy: str, vips: Iterable[str] = ()
    ) -> Finding:
        """Returns a finding about the instance and its VIPs, all by default."""
        about, vips = self.instance.name, vips or self.vips
        return finding(ident, severity, title, *evidence, remedy=remedy, about=about, vips=vips)

    @property
    def snapshot(self) -> Snapshot:
        return self.observation.snapshot

    @property
    def configured(self) -> ConfInstance | None:
        """Its block in the config that keepalived runs."""
        conf = self.snapshot.effective_conf
        return conf.instance(self.instance.name) if conf else None

    @property
    def version(self) -> Version | None:
        """Of the keepalived that runs it; None if unknown."""
        chosen = self.snapshot.chosen_keepalived
        return parse_version(chosen.version or "") if chosen else None

    @property
    def heard(self) -> tuple[Advertiser, ...]:
        return self.others if self.own is None else (self.own, *self.others)

    @property
    def live_others(self) -> tuple[Advertiser, ...]:
        """Other nodes that advertise now, whether or not they are valid masters."""
        return tuple(a for a in self.others if not a.stepped_down and not a.silent(self.now))

    @property
    def other_masters(self) -> tuple[Advertiser, ...]:
        """The live ones, and while this node is master those that it may have silenced.

        An advert that keepalived rejects still restarts its advert timer: of two masters that reject each other, one is
        silent (vrrp_dispatcher_read; measured with 2.2.7).
        """
        recent = self.now - SILENCED_SECONDS
        silenced = (a for a in self.others if a.silent(self.now) and not a.stepped_down and a.last.received > recent)
        return (*self.live_others, *(silenced if self.is_master else ()))

    @property
    def vrrp_masters(self) -> tuple[Advertiser, ...]:
        """Those of the other masters that speak VRRP, not CARP."""
        return tuple(a for a in self.other_masters if not a.last.carp)

    @property
    def own_live(self) -> bool:
        return self.own is not None and live(self.own, self.now)

    @property
    def interval(self) -> float:
        return self.view.advert_interval or 1.0

    @property
    def vips(self) -> tuple[str, ...]:
        return self.view.vips

    @property
    def counters(self) -> dict[str, int]:
        return self.view.counters or {}

    @property
    def is_master(self) -> bool:
        return self.view.state is VrrpState.MASTER

    @property
    def counters_rest(self) -> bool:
        """Whether the counters were compared for long enough to see one grow."""
        since = self.instance.counted_since
        return since is not None and self.now - since > GROWN_SECONDS

    def as_it_fell_silent(self, other: Advertiser) -> InstanceRouter:
        """Returns what was known as another node fell silent, with the counters that its last advert increased.

        An advert that keepalived accepts increases none of those that have a cause.
        """
        at, grown = other.last.received, self.instance.grown
        accepted = grown.get("advert_rcvd", at - 1) >= at
        last = {} if accepted else {name: at for name, time in grown.items() if time >= at}
        silent = at + 4 * max(1.0, other.last.interval)
        return replace(self, instance=replace(self.instance, grown=last), others=(other,), now=silent)

    def growing(self, *names: str) -> tuple[str, ...]:
        """Returns those of the counters that grew lately."""
        return tuple(n for n in names if self.now - self.instance.grown.get(n, float("-inf")) <= GROWN_SECONDS)


_routers: IdentityCache[tuple[InstanceRouter, ...]] = IdentityCache(1)


def routers(observation: Observation) -> tuple[InstanceRouter, ...]:
    return _routers.get((observation,), None, lambda: tuple(_find(observation)))


def _find(observation: Observation) -> Iterator[InstanceRouter]:
    snapshot = observation.snapshot
    pairs = zip(known_instances(snapshot) or (), observation.vrrp_instances or (), strict=False)
    for (instance, view), around in zip(pairs, heard_of(snapshot), strict=False):
        own = max((a for a in around if a.last.outgoing), key=lambda a: a.last.received, default=None)
        others = tuple(a for a in around if not a.last.outgoing)
        yield InstanceRouter(observation, instance, view, own, others, snapshot.time)


def each_router(find: Callable[[InstanceRouter], Findings]) -> Callable[[Observation], Findings]:
    """Makes a rule of a function that finds problems of one instance."""

    @wraps(find)
    def rule(observation: Observation) -> Findings:
        for router in routers(observation):
            yield from find(router)

    return rule


def describe(advertiser: Advertiser, now: float) -> str:
    last = advertiser.last
    who = f"this node ({last.source})" if last.outgoing else last.source
    if last.carp:
        return f"{who} sends CARP with vhid {last.vrid} on {last.interface}, {now - last.received:.1f} s ago (adverts)"
    return (
        f"{who} advertises VRID {last.vrid} on {last.interface} with priority {last.priority}, "
        f"last heard {max(0.0, now - last.received):.1f} s ago (adverts)"
    )
