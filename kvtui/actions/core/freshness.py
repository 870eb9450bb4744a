"""Whether a plan on the screen is still true: a dialog may be open for an hour."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.plan import NoteSeverity, Plan
from kvtui.actions.core.plan_text import plan_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from kvtui.model.observation import InstanceView, Observation, VirtualServerView

COUNT = re.compile(r"(?<![\w.:/-])\d+(?![\w:/]|\.\d)")
"""A counter (connections, adverts): not part of an address, a time or a name."""


def plan_inputs(observation: Observation) -> Hashable:
    """Returns all of an observation that a plan can depend on, without what changes every second.

    While it is equal, no new plan is needed. Files (a track file, the journal) are not included: for those the plan is
    made again before it is applied.
    """
    snapshot = observation.snapshot
    return (
        snapshot.chosen,
        snapshot.node.read_only,
        tuple((s.name, s.state) for s in snapshot.sources),
        snapshot.conf.digest if snapshot.conf else None,
        snapshot.running.digest if snapshot.running else None,
        tuple(_instance(i) for i in observation.vrrp_instances or ()),
        tuple((v.address, v.instance, v.present, v.owner) for v in observation.vips or ()),
        tuple((t.name, t.status) for i in snapshot.instances or () for t in i.track_files),
        tuple(_virtual(v) for v in observation.virtual_servers or ()),
    )


def _instance(view: InstanceView) -> Hashable:
    master = (view.master.address, view.master.priority) if view.master else None
    peers = tuple((p.address, p.priority, p.seen) for p in view.peers)
    return (view.name, view.state, view.priority, view.effective_priority, view.nopreempt, view.vips, master, peers)


def _virtual(view: VirtualServerView) -> Hashable:
    reals = tuple((r.address, r.port, r.method, r.weight, r.configured_weight, r.state) for r in view.real_servers)
    return (view.protocol, view.name, view.scheduler, view.persistence_timeout, view.managed_by, reals)


def without_counts(plan: Plan) -> Plan:
    """Returns a plan without its counters: two plans that are then equal are one plan to the operator."""
    notes = tuple(replace(r, text=_uncounted(r.text)) if r.severity is NoteSeverity.NOTE else r for r in plan.notes)
    return replace(plan, effects=tuple(map(_uncounted, plan.effects)), notes=notes)


def _uncounted(text: str) -> str:
    return COUNT.sub("#", text)


def diff(before: Plan, after: Plan) -> Iterator[str]:
    """Yields the lines of a new plan, compared with the old one: ``*`` new, ``-`` removed, two blanks unchanged."""
    shown, gone = plan_text(after).splitlines(), plan_text(before).splitlines()
    # line by line the same, less counts
    old, new = (plan_text(without_counts(plan)).splitlines() for plan in (before, after))
    for kind, begin, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from (f"  {line}" for line in shown[first:last])
        else:
            yield from (f"- {line}" for line in gone[begin:end])
            yield from (f"* {line}" for line in shown[first:last])
