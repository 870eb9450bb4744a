"""Sources whose data is old and may no longer be true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.units import ago
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation

MAX_AGES = {SourceName.VRRP: 120.0, SourceName.KUBERNETES: 60.0}
"""Seconds. kvtui requests a dump at least every 30 s (each one is a line in keepalived's log)."""
MAX_AGE = 30.0
"""Seconds, of the other sources."""
MAX_CLOCK_STEP = 5.0
"""Seconds by which a reading may be newer than its snapshot before the clock counts as set back."""
REMEDIES = {
    SourceName.KEEPALIVED: "ps -C keepalived",
    SourceName.CONF: "kvtui status  # shows why the config cannot be read",
    SourceName.VRRP: "kvtui vrrp  # as root and without --read-only: kvtui requests a dump by a signal",
    SourceName.KUBERNETES: "kubectl get --raw /readyz",
}


def stale(observation: Observation) -> Findings:
    """Kvtui still shows old data with its age, but it may be wrong (kvtui's own reading)."""
    now = observation.snapshot.time
    for source in observation.snapshot.sources:
        age = source.age(now)
        limit = MAX_AGES.get(source.name, MAX_AGE)
        if age is not None and age > limit and source.state is not SourceState.UNAVAILABLE:
            yield finding(
                "source-stale",
                Severity.WARNING,
                f"The data of source {source.name.value} is {ago(age)} old",
                f"read {ago(age)} ago; the limit is {limit:.0f} s ({source.name.value})",
                *((source.detail,) if source.detail else ()),
                remedy=REMEDIES.get(source.name, "kvtui status"),
                about=source.name.value,
            )


def clock_set_back(observation: Observation) -> Findings:
    """Ages and "since" are wrong until kvtui has read all sources again (kvtui's own reading)."""
    now = observation.snapshot.time
    read = [(s.name.value, s.read_at - now) for s in observation.snapshot.sources if s.read_at is not None]
    if ahead := [(name, seconds) for name, seconds in read if seconds > MAX_CLOCK_STEP]:
        step = max(seconds for _, seconds in ahead)
        yield finding(
            "clock-set-back",
            Severity.INFO,
            f"The clock of {observation.snapshot.node.name} was set back by {ago(step)}: ages are wrong for a while",
            *(f"{source} was read {ago(seconds)} in the future" for source, seconds in ahead),
            remedy="timedatectl  # or chronyc tracking",
            about=observation.snapshot.node.name,
        )


def missing_sources(observation: Observation) -> tuple[Source, ...]:
    """Returns the unavailable sources that triage needs: without them, no findings does not mean no problems.

    VRRP instances need adverts and addresses, virtual servers need IPVS, a configured API needs Kubernetes.
    keepalived's dumps are not needed: adverts and addresses show the states too.
    """
    sources = (observation.snapshot.source(name) for name in _needed(observation))
    return tuple(s for s in sources if s.state is SourceState.UNAVAILABLE)


def _needed(observation: Observation) -> Iterator[SourceName]:
    snapshot = observation.snapshot
    conf = snapshot.effective_conf
    yield SourceName.KEEPALIVED
    if snapshot.chosen is not None and snapshot.running is None:
        yield SourceName.CONF
    if conf is None or conf.virtual_servers:
        yield SourceName.IPVS
    if observation.vrrp_instances is None or observation.vrrp_instances:
        yield SourceName.ADDRESSES
        yield SourceName.ADVERTS
    if snapshot.kube is not None:
        yield SourceName.KUBERNETES


RULES = (Rule(stale, TRANSIENT_SECONDS), Rule(clock_set_back))
