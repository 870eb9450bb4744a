"""What follows for one VRRP instance from a change: of its config, its priority, its tracks, or by its stepping down.

The facts were measured on real keepalived (keepalived.md sections 5 and 11; docs/predictions.md has the table of
situations that this is checked against). Values that no source on this node knows are
None, and the sentence says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.prediction import Certainty, Prediction, StateChange, VipsChange
from kvtui.model.vrrp import VrrpState
from kvtui.rules.vrrp.election import Candidate, Leaving, predict, skew, takeover
from kvtui.rules.vrrp.others import PeerSource
from kvtui.rules.vrrp.settings import must_be_equal, starts_over

if TYPE_CHECKING:
    from kvtui.rules.vrrp.effective import Effective
    from kvtui.rules.vrrp.others import Other, Others
    from kvtui.rules.vrrp.settings import Settings

SOON = 1.0
"""Seconds for what keepalived does at once."""
CERTAIN, LIKELY, UNKNOWN = Certainty.CERTAIN, Certainty.LIKELY, Certainty.UNKNOWN
MASTER, BACKUP, FAULT = VrrpState.MASTER, VrrpState.BACKUP, VrrpState.FAULT


class Situation(Struct, frozen=True):
    """One instance before and after a change."""

    name: str
    state: VrrpState | None  # on this node now; None for an instance that is added
    held: tuple[str, ...] | None  # its VIPs that are on this node now; None if unknown
    old: Settings | None  # as it runs; None for one that is added
    new: Settings | None  # as it will run; None for one that is removed
    before: int | None  # its effective priority now
    after: Effective | None  # its effective priority then; None for one that is removed
    was: Effective | None  # the same now, by the results of its tracks
    others: Others
    steps_down: bool = False  # its VIP is removed, so that keepalived itself steps down
    delay: float = 0.0  # seconds until the result of a check counts
    compares_vips: bool = True  # adverts with other VIPs are rejected

    @property
    def priority(self) -> int | None:
        return self.after.priority if self.after else None

    @property
    def priority_text(self) -> str:
        return f"priority {self.after.text}" if self.after else ""


class Consequence(Struct, frozen=True):
    """A prediction, and what a plan needs beside it."""

    prediction: Prediction
    watch: float  # seconds that it takes to see whether it comes true
    effective: Effective | None = None  # the priority then
    split: bool | None = False
    """Other nodes, which have another value, are master too then; None if it is unknown whether there are any."""
    steps_down: bool = False  # it takes the members of its sync group along


class Then(Struct, frozen=True):
    """What follows; ``vips`` None: unknown. ``watch``: seconds, if more than ``within``."""

    state: VrrpState | None
    vips: tuple[str, ...] | None
    why: str
    certainty: Certainty = CERTAIN
    owner: str | None = None
    two: bool | None = False
    within: float | None = None
    watch: float = 0.0
    split: bool | None = False


def consequence(situation: Situation) -> Consequence:
    then = _then(situation)
    now = situation.state.value if situation.state else None
    prediction = Prediction(
        instance=situation.name,
        state=StateChange(now, then.state.value if then.state else None),
        vips_here=VipsChange(situation.held, then.vips),
        owner_then=then.owner,
        two_owners=then.two,
        within_seconds=None if then.within is None else round(then.within, 1),
        certainty=then.certainty,
        why=then.why,
    )
    watch = max(then.watch, then.within or 0.0)
    return Consequence(prediction, watch, situation.after, then.split, situation.steps_down)


def _then(s: Situation) -> Then:
    if s.new is None or s.after is None:
        return _removed(s)
    if s.after.fault:
        return _fault(s, s.new, s.after.fault)
    if s.after.unknown:
        return _unknown_track(s, s.new, s.after)
    if s.old is None or s.state is None:
        return _starts(s, s.new, "it is new")
    return _leaves_fault(s, s.new) if s.state is FAULT else _running(s, s.old, s.new)


def _running(s: Situation, old: Settings, new: Settings) -> Then:
    if s.state not in {MASTER, BACKUP}:
        text = f"its state is unknown now ({s.state.value if s.state else 'none'})"
        return Then(None, None, text, UNKNOWN, two=None, watch=_dead(new, 1), split=None)
    if changed := tuple(must_be_equal(old, new, vips=s.compares_vips)):
        return _mismatch(s, old, new, ", ".join(changed))
    if s.steps_down:
        return _steps_down(s, new)
    return _master(s, old, new) if s.state is MASTER else _backup(s, old, new)


def _dead(settings: Settings, priority: int | None) -> float:
    """Longest time until a backup takes over: three adverts and the skew, and its preempt_delay."""
    return takeover(priority or 1, settings.interval) + settings.preempt_delay


def _owner(s: Situation, best: str | None) -> str | None:
    """The best known node; None if only the log names it and there may be others: a better one may be silent."""
    known = [o for o in s.others.known if _priority(s, o) is not None]
    heard = any(o.address == best and o.source is PeerSource.WIRE for o in known)
    all_known = len(known) == len(s.others.known) if s.others.complete else len(known) > 1
    return best if heard or all_known else None


def _candidates(s: Situation, settings: Settings, *, nopreempt: bool) -> tuple[Candidate, ...]:
    """The other nodes, taken to be as this one."""
    return tuple(Candidate(o.address, _priority(s, o), nopreempt, settings.preempt_delay) for o in s.others.known)


def _priority(s: Situation, other: Other) -> int | None:
    """None where what the log remembers cannot be true any more: with that it would have taken over from this node."""
    only_from_log = other.source is PeerSource.LOG and s.state is MASTER and not (s.old and s.old.nopreempt)
    is_stale = only_from_log and s.before is not None and (other.priority or 0) > s.before
    return None if is_stale else other.priority


def _successor(s: Situation, settings: Settings, *, released: bool = True) -> Then:
    """Who has the VIPs when this node lets go of them: the best known node, or nobody that is known."""
    if s.state is not MASTER:
        owner = s.others.master_address
        return Then(None, (), f"{owner} is master" if owner else "the master was not heard yet", owner=owner)
    known = s.others.known
    if not any(_priority(s, o) is not None for o in known):
        if s.others.complete and not known:
            return Then(None, (), "there is no other node: nobody has the VIPs then")
        who = f"{s.others.names} may take over" if known else "another node takes over if there is one"
        return Then(None, (), who, within=skew(1, settings.interval) if released else _dead(settings, 1))
    leaving = Leaving.STEPS_DOWN if released else Leaving.SILENT
    found = predict(_candidates(s, settings, nopreempt=False), None, settings.interval, leaving)
    owner = _owner(s, found.master)
    return Then(None, (), f"{found.master} takes over", LIKELY, owner, within=found.moves[-1].after)


def _fault(s: Situation, settings: Settings, fault: str) -> Then:
    if s.state is FAULT:
        return Then(FAULT, (), f"{fault}: it stays in FAULT", owner=s.others.master_address)
    successor = _successor(s, settings)
    within = s.delay + (successor.within or SOON)
    return Then(FAULT, (), f"{fault}: FAULT; {successor.why}", successor.certainty, successor.owner, within=within)


def _removed(s: Situation) -> Then:
    if s.old is None:
        return Then(None, (), "it does not exist")
    successor = _successor(s, s.old, released=False)
    within = max(SOON, successor.within or 0.0)
    return Then(None, (), f"it is removed; {successor.why}", successor.certainty, successor.owner, within=within)


def _unknown_track(s: Situation, settings: Settings, after: Effective) -> Then:
    conditions = [t.name for t in settings.tracks if t.name in after.unknown and not t.weight]
    if conditions:
        effect = f"if {' or '.join(conditions)} fails, it goes to FAULT and the VIPs leave"
    else:
        effect = f"its effective priority is {after.text}"
    text = f"the result of {', '.join(after.unknown)} is not known: {effect}"
    return Then(None, None, text, UNKNOWN, two=None, within=s.delay + _dead(settings, 1))


def _starts(s: Situation, settings: Settings, why: str) -> Then:
    """It begins as BACKUP: master after its dead interval, unless a better one, or with nopreempt any, is heard."""
    priority = s.priority
    heard = next((m for m in s.others.masters if _fits(settings, m, vips=s.compares_vips)), None)
    within = _dead(settings, priority)
    if heard is None:
        alone = "nobody else was heard" if s.others.listening else "adverts cannot be captured"
        text = f"{why}: BACKUP, then MASTER after {within:.1f} s, for {alone}"
    elif priority is not None and heard.priority is not None and priority > heard.priority and not settings.nopreempt:
        text = f"{why}: {priority} is more than {heard.priority} of {heard.address}"
    else:
        text = f"{why}: BACKUP of {heard.address}" + (f" ({heard.priority})" if heard.priority is not None else "")
        return Then(BACKUP, (), text, LIKELY, heard.address, within=SOON, watch=within)
    return Then(MASTER, settings.held, text, LIKELY, s.others.own, within=within)


def _leaves_fault(s: Situation, settings: Settings) -> Then:
    if s.was is not None and not s.was.fault:
        why = "it stays in FAULT: kvtui does not know the cause, and this action does not remove it"
        return Then(FAULT, (), why, LIKELY, s.others.master_address, watch=_dead(settings, 1))
    return _starts(s, settings, f"{s.was.fault if s.was else 'the fault'} no longer counts")


def _fits(settings: Settings, other: Other, *, vips: bool = True) -> bool:
    """Whether this config accepts what another node sends, as far as its advert shows."""
    advert = other.advert
    if advert is None:
        return True
    return (
        advert.version == settings.version
        and (not vips or set(advert.addresses) == set(settings.advertised))
        and (settings.version != 2 or advert.interval == settings.interval)
        and (settings.version != 2 or bool(advert.auth_type) is bool(settings.auth))
    )


def _mismatch(s: Situation, old: Settings, new: Settings, what: str) -> Then:
    """Nodes with the old and nodes with the new value reject each other's adverts."""
    restarts = starts_over(old, new)
    masters = s.others.masters
    if masters and not restarts and all(_fits(new, m) for m in masters) and not all(_fits(old, m) for m in masters):
        return _joins(s, new, what, masters[0])
    within = _dead(new, s.priority)
    alone = s.others.complete and not s.others.known
    split = False if alone else True if s.others.exist or s.state is BACKUP else None
    certainty = CERTAIN if split is not True and not restarts else LIKELY
    rest = {
        True: "nodes with the old value reject its adverts and are master too, until all have the new one",
        False: "there is no other node",
        None: "if there is another node (a backup is silent), it becomes master too, until it has the new value",
    }[split]
    two = split if set(old.held) & set(new.held) else False
    if split and not two:
        rest = f"nodes with the old value take over {' '.join(old.held)}"
    if s.state is MASTER and not restarts:
        text = f"{what}: stays MASTER; {rest}"
        soon = within if split is not False else SOON
        return Then(MASTER, new.held, text, certainty, s.others.own, two=two, within=soon, watch=within, split=split)
    begin = "restarts as BACKUP, " if restarts else "rejects the master's adverts, "
    text = f"{what}: {begin}MASTER after {within:.1f} s; {rest}"
    watch = within + new.interval
    return Then(MASTER, new.held, text, certainty, s.others.own, two=two, within=within, watch=watch, split=split)


def _joins(s: Situation, new: Settings, what: str, master: Other) -> Then:
    """The other node has the new value already."""
    mine, theirs = s.priority, master.priority
    within = _dead(new, mine)
    if mine is not None and theirs is not None and mine > theirs:
        text = f"{what}: {master.address} already has the new value; {mine} is more than its {theirs}"
        return Then(MASTER, new.held, text, LIKELY, s.others.own, within=within)
    text = f"{what}: {master.address} already has the new value and is master" + (
        f" ({theirs})" if theirs is not None else ""
    )
    return Then(BACKUP, (), text, LIKELY, master.address, within=within)


def _steps_down(s: Situation, settings: Settings) -> Then:
    wait = skew(1, settings.interval)
    if not s.others.exist:
        text = f"the VIPs leave for up to {wait:.1f} s; if no node takes over, they come back here"
        return Then(None, None, text, UNKNOWN, within=wait, watch=wait + _dead(settings, 1))
    successor = _successor(s, settings)
    wait = successor.within or wait
    text = f"nobody has the VIPs for up to {wait:.1f} s; {successor.why}"
    return Then(BACKUP, (), text, LIKELY, successor.owner, within=wait, watch=wait + settings.interval)


def _master(s: Situation, old: Settings, settings: Settings) -> Then:
    own, after = s.others.own, s.priority
    if s.others.masters:
        names = ", ".join(r.address for r in s.others.masters)
        why = f"{names} is master too, and this action does not change that"
        return Then(MASTER, settings.held, why, LIKELY, own, two=True, watch=_dead(settings, 1))
    if after is None or s.before is None:
        if _same_priority(s, old, settings):
            return Then(MASTER, settings.held, "its priority does not change", owner=own)
        return _may_move(s, settings, "its effective priority is unknown")
    if after < s.before:
        return _lowered(s, old, settings, after)
    more = f"{s.priority_text} is more than before ({s.before})"
    what = "nothing changes in the election" if after == s.before else more
    if set(settings.held) == set(s.held or settings.held):
        return Then(MASTER, settings.held, what, owner=own)
    return Then(MASTER, settings.held, f"{what}; its VIPs are set at once", owner=own, within=SOON)


def _same_priority(s: Situation, old: Settings, new: Settings) -> bool:
    same_parts = s.was is None or s.after is None or s.was.parts == s.after.parts
    return old.priority == new.priority and old.tracks == new.tracks and same_parts


def _lowered(s: Situation, old: Settings, settings: Settings, after: int) -> Then:
    """A master with less: whoever has more and may preempt takes over."""
    own, priority = s.others.own, s.priority_text
    me = Candidate(own or "", after, settings.nopreempt, settings.preempt_delay)
    peers = _candidates(s, settings, nopreempt=old.nopreempt)  # the other nodes have what ran here
    better = [p for p in peers if p.priority is not None and p.priority > after]
    if old.nopreempt and (peers or not s.others.complete):
        but = "but no node preempts, assuming that the other nodes also have nopreempt"
        text = f"{priority} is less than before ({s.before}), {but}"
        return Then(MASTER, settings.held, text, LIKELY, own, watch=_dead(settings, 1))
    if better:
        moves = predict((me, *better), own or "", settings.interval)
        within = moves.moves[-1].after if moves.moves else _dead(settings, 1)
        text = f"{priority}: {moves.because}; the VIPs stay here until then"
        return Then(BACKUP, (), text, LIKELY, _owner(s, moves.master), within=within)
    if s.others.complete and all(p.priority is not None for p in peers):
        if not peers:
            return Then(MASTER, settings.held, f"{priority}; there is no other node", owner=own)
        text = f"{priority} is still more than all other nodes had when they were last heard"
        return Then(MASTER, settings.held, text, LIKELY, own, watch=_dead(settings, 1))
    return _may_move(s, settings, f"{priority} is less than before ({s.before})")


def _may_move(s: Situation, settings: Settings, why: str) -> Then:
    """Nobody on this node knows whether another node has more: a backup is silent."""
    within = _dead(settings, 1)
    limit = "this node" if s.priority is None else s.priority
    silent = [o.address for o in s.others.known if _priority(s, o) is None]
    who = f"the priority of {', '.join(silent)} was never heard" if silent else "there may be silent backups"
    text = f"{why}; {who}: one with more than {limit} takes over within {within:.1f} s. Until then the VIPs stay here"
    return Then(None, None, text, UNKNOWN, within=within)


def _backup(s: Situation, old: Settings, settings: Settings) -> Then:
    after, priority = s.priority, s.priority_text
    master = next(iter(s.others.masters), None)
    owner = s.others.master_address
    two = len(s.others.masters) > 1
    within = _dead(settings, after)
    if after is None:
        if _same_priority(s, old, settings):
            return Then(BACKUP, (), "its priority does not change", LIKELY, owner, two=two)
        return Then(None, None, "its effective priority is unknown", UNKNOWN, two=two, within=within)
    if settings.nopreempt:
        return Then(BACKUP, (), f"{priority}; with nopreempt it does not preempt", CERTAIN, owner, two=two)
    if master is not None and master.priority is not None:
        if after <= master.priority:
            text = f"{priority} is not more than {master.priority} of {owner}"
            return Then(BACKUP, (), text, CERTAIN, owner, two=two)
        text = f"{priority} is more than {master.priority} of {owner}, and it may preempt"
        certainty = LIKELY if settings.preempt_delay or two else CERTAIN
        return Then(MASTER, settings.held, text, certainty, s.others.own, within=within)
    if s.before is not None and after <= s.before and not old.nopreempt:
        return Then(BACKUP, (), f"{priority} is not more than before ({s.before})", CERTAIN, owner, two=two)
    text = f"{priority}; the master's priority is not known: with more than that it takes over within {within:.1f} s"
    return Then(None, None, text, UNKNOWN, within=within)
