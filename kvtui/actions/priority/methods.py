"""How a priority gets where it is wanted: by a track file of the instance, or by its line of the config and a reload.

A track file changes no config, needs no reload and outlives one, so it comes first wherever it gets there exactly and
nothing else changes with it. The config's line is the way everywhere else, and the plan says why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.actions.core.plan import Change, Grade, Remark
from kvtui.actions.priority.config_line import reconfiguration
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.priority.track_files import FAULT, knobs
from kvtui.model.record import dataclass
from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from kvtui.actions.core.election_context import Contest
    from kvtui.actions.core.step import Step
    from kvtui.actions.checks.preflight import Survey
    from kvtui.actions.priority.track_files import Knob

LEAST, MOST_TRACKED, OWNER = 1, 254, 255
"""Priorities: keepalived keeps an effective one within 1 and 254; 255 is the owner of the address."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a priority: what a plan takes from it.

    Attributes:
        name: in a sentence, after "by".
        now: the priority that is given up.
        steps: empty when it cannot be done, or nothing is to do.
        remarks: why not, and what to know.
        changes: what will be different.
        diff: of the config.
        by_hand: shell commands.
    """

    name: str
    now: int | None
    steps: tuple[Step, ...] = ()
    remarks: tuple[Remark, ...] = ()
    changes: tuple[Change, ...] = ()
    diff: str = ""
    by_hand: tuple[str, ...] = ()


def way_to(survey: Survey, race: Contest, value: int, *, use_track_file: bool | None = None) -> Way:
    """The way to a priority.

    Args:
        survey: of the config, made just now.
        race: the instance.
        value: wanted effective priority.
        use_track_file: by its track file, or by its config; None for its track file if that is as good as it gets.
    """
    if use_track_file is False:
        return _by_config(survey, race, value)
    found = knobs(survey, race.view.name)
    if use_track_file:
        return _by_track_file(survey, race, found, value)
    reasons = []
    for knob in found:
        number = number_for(survey, race, knob, value)
        others = _others(knob)
        if isinstance(number, int) and not others:
            return _offered(survey, race, knob, number, value)
        reasons.append(number if isinstance(number, str) else f"{knob.path} is more than a priority's: {others}")
    return _by_config(survey, race, value, tuple(reasons))


def _others(knob: Knob) -> str:
    """What else would change with it; empty when nothing does."""
    instances = f"{', '.join(knob.shared)} track it as well: theirs changes too" if knob.shared else ""
    checked = f"it is the FILE_CHECK of {', '.join(knob.checked)}: their weights change too" if knob.checked else ""
    return "; ".join(filter(None, (instances, checked)))


def _offered(survey: Survey, race: Contest, knob: Knob, number: int, value: int) -> Way:
    way = by_knob(survey, race, knob, number, value)
    note = (
        f"the better knob: it changes no config, needs no reload and outlives one. Whatever else writes {knob.path}, "
        "such as a health check, changes it again. --config-line (key t) changes the config instead"
    )
    return replace(way, remarks=(*way.remarks, Remark(Grade.NOTE, note))) if way.steps else way


def _by_config(survey: Survey, race: Contest, value: int, reasons: tuple[str, ...] = ()) -> Way:
    """Its line of the config.

    Args:
        survey: of the config.
        race: the instance.
        value: wanted.
        reasons: why its track files, where it has any, are not the way.
    """
    config = reconfiguration(survey, race.view.name, value)
    remarks = [*config.remarks, *(Remark(Grade.NOTE, f"not by its track file: {why}") for why in reasons)]
    if value == OWNER:
        remarks.append(Remark(Grade.WARNING, "255 means the owner of the address: weighted tracks do not count then"))
    if not config.steps and all(r.grade < Grade.UNSAFE for r in config.remarks):
        remarks.append(_already(race, value))
    return Way(
        name=f"its config {survey.keepalived.conf} and a reload",
        now=race.view.priority if race.view.priority is not None else config.before,
        steps=config.steps,
        remarks=tuple(remarks),
        changes=config.changes,
        diff=config.diff,
        by_hand=config.by_hand,
    )


def _already(race: Contest, value: int) -> Remark:
    return Remark(Grade.NOTE, f"{race.view.name} has priority {value} already: nothing is written")


def _by_track_file(survey: Survey, race: Contest, found: tuple[Knob, ...], value: int) -> Way:
    """The first track file that gets it there exactly, whoever else tracks it; or why there is none."""
    reasons = []
    for knob in found:
        number = number_for(survey, race, knob, value)
        if isinstance(number, int):
            return by_knob(survey, race, knob, number, value)
        reasons.append(number)
    why = "; ".join(reasons) or f"{race.view.name} tracks no file whose path is known: change its config instead"
    return Way("a track file", _effective(race), remarks=(Remark(Grade.IMPOSSIBLE, why),))


def number_for(survey: Survey, race: Contest, knob: Knob, value: int) -> int | str:
    """The number in the file that makes the effective priority exactly this; or why no number does, in words."""
    if obstacle := survey.site.obstacle(survey.keepalived, knob.path):
        return obstacle
    if value > MOST_TRACKED or race.view.priority == OWNER:
        return f"with 255 weighted tracks do not count, so {knob.name} reaches {LEAST} to {MOST_TRACKED} only"
    rest = _without(survey, race, knob)
    if rest is None:
        return f"what {race.view.name} would have without {knob.name} is not known, so the number for it is not either"
    if knob.weight and (value - rest) % knob.weight == 0:
        number = (value - rest) // knob.weight
        if number * knob.weight > FAULT:
            return number
    return (
        f"priority {value} cannot be reached exactly from {_effective(race)} with track file {knob.name} "
        f"(weight {knob.weight})"
    )


def _effective(race: Contest) -> int | None:
    view = race.view
    return view.effective_priority if view.effective_priority is not None else view.priority


def _without(survey: Survey, race: Contest, knob: Knob) -> int | None:
    """The priority less this file's part; None where that cannot be told.

    Where nothing else weighs, that is the configured priority. Else it is what keepalived says now less the file's
    part, unless it was cut off at 1 or 254, or the file holds the instance in FAULT and has no part.
    """
    conf = survey.running or survey.conf
    instance = next((i for i in (conf.instances if conf else ()) if i.name == race.view.name), None)
    tracks = instance.tracks if instance else ()
    others = [t for t in tracks if (t.kind, t.name) != ("file", knob.name) and (t.kind != "interface" or t.weight)]
    if not others and race.view.priority is not None:
        return race.view.priority
    now = race.view.effective_priority
    if now is None or now in {LEAST, MOST_TRACKED} or race.view.state is VrrpState.FAULT:
        return None
    return now - knob.value * knob.weight


def by_knob(survey: Survey, race: Contest, knob: Knob, number: int, value: int) -> Way:
    """By this number in this track file.

    Args:
        survey: of the config.
        race: the instance.
        knob: its track file.
        number: to write.
        value: the effective priority that comes of it.
    """
    name = f"track file {knob.path} (weight {knob.weight})"
    if number == knob.value:
        return Way(name, _effective(race), remarks=(_already(race, value),))
    others = _others(knob)
    return Way(
        name=name,
        now=_effective(race),
        remarks=(Remark(Grade.WARNING, f"{knob.path}: {others}"),) if others else (),
        steps=survey.site.steps((knob.step(Daemon.of(survey.keepalived), number),)),
        changes=(Change(f"track file {knob.name}", str(knob.value), str(number)),),
        by_hand=(f"echo {number} > {survey.keepalived.outside(knob.path)}",),
    )
