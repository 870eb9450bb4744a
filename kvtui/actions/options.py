"""What else can be asked of an action: each option of its command line as a key, a word, and how it stands now.

The terminal UI's dialog draws these under the plan. Pure: an option is nothing but another intent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.actions.plan import Verb
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.model.ipvs import endpoint
from kvtui.model.record import dataclass
from kvtui.model.units import ago

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.actions.intent import Intent
    from kvtui.actions.runner import Action
    from kvtui.model.observation import Observation, VirtualServerView

WAITS = (60.0, 300.0, 1800.0)
"""Seconds that a key chooses from for ``--wait``; any other number can be typed."""
OVERS = (30.0, 60.0, 300.0)
"""Seconds that a key chooses from for ``--over``."""
DAY = 86400


@dataclass(frozen=True, slots=True)
class Ask:
    """A number to be typed.

    Attributes:
        what: is asked for, with its unit.
        least: smallest answer.
        most: largest answer.
        answered: what is wanted then.
    """

    what: str
    least: int
    most: int
    answered: Callable[[int], Intent]


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        key: turns it to its next value, or asks for one where there is no next one. Its capital asks too.
        flag: the same on the command line.
        name: a word or two.
        value: how it stands.
        then: what is wanted after the key.
        ask: for any other value.
    """

    key: str
    flag: str
    name: str
    value: str
    then: Intent | None = None
    ask: Ask | None = None

    @property
    def text(self) -> str:
        """As it stands in the dialog."""
        other = f" ({self.key.upper()} other)" if self.ask and self.then else ""
        return f"{self.key} {self.name}: {self.value}{other}"


def options(intent: Intent, observation: Observation | None, action: Action | None = None) -> tuple[Option, ...]:
    """What can be chosen, in the order in which it is shown.

    Args:
        intent: as it stands.
        observation: the node; None when it was not read yet.
        action: the plan for the intent; None when there is none.
    """
    if intent.verb is Verb.DRAIN:
        return tuple(_drain(intent, observation))
    if intent.verb is Verb.UNDRAIN:
        return tuple(_service(intent, _places(intent, observation)))
    if intent.verb is Verb.PRIORITY:
        return tuple(_priority(intent, observation, action))
    if intent.verb is Verb.UNDO:
        return tuple(_undo(intent, action))
    return ()


def missing(intent: Intent, observation: Observation | None = None) -> Ask | None:
    """The number without which there is no plan; None when the intent is whole."""
    if intent.verb is Verb.PRIORITY and not intent.value and not intent.reset:
        return _new_priority(intent, observation)
    return None


def service_option(virtual: VirtualServerView) -> str:
    """What ``--service`` would be for a virtual server."""
    if virtual.fwmark is not None:
        return f"fwmark {virtual.fwmark}"
    return f"{virtual.protocol.value.lower()} {virtual.name}"


def _drain(intent: Intent, observation: Observation | None) -> Iterator[Option]:
    places = _places(intent, observation)
    yield from _service(intent, places)
    waited = "no" if intent.wait is None else f"at most {ago(intent.wait)}"
    later = _next(intent.wait or 0.0, WAITS)
    yield Option(
        "w",
        "--wait",
        "wait",
        waited,
        replace(intent, wait=later or None),
        Ask("Seconds to wait until it is empty, at most", 1, DAY, lambda n: replace(intent, wait=float(n))),
    )
    yield Option(
        "o",
        "--over",
        "over",
        ago(intent.over) if intent.over else "at once",
        replace(intent, over=_next(intent.over, OVERS)),
        Ask("Seconds over which the weight goes down", 1, DAY, lambda n: replace(intent, over=float(n))),
    )
    meant = [v for v in places if intent.service in {None, service_option(v)}]
    if intent.fix_persistence or any(v.persistence_timeout is not None for v in meant):
        yield Option(
            "x",
            "--fix-persistence",
            "fix persistence",
            _yes(on=intent.fix_persistence),
            replace(intent, fix_persistence=not intent.fix_persistence),
        )


def _next(value: float, ladder: tuple[float, ...]) -> float:
    """The next value up; after the last one 0."""
    return next((step for step in ladder if step > value), 0.0)


def _places(intent: Intent, observation: Observation | None) -> list[VirtualServerView]:
    """The virtual servers of the kernel that have the real server."""
    found = (observation.virtual_servers or ()) if observation is not None else ()
    return [
        v
        for v in found
        if any(
            r.weight is not None and intent.target in {r.address, endpoint(r.address, r.port)} for r in v.real_servers
        )
    ]


def _service(intent: Intent, places: list[VirtualServerView]) -> Iterator[Option]:
    """Round through the virtual servers that have it, then all of them."""
    ways: list[str | None] = [*dict.fromkeys(service_option(v) for v in places), None]
    if intent.service not in ways:
        ways.insert(0, intent.service)
    following = ways[(ways.index(intent.service) + 1) % len(ways)]
    value = f"all that have it ({len(places)})" if intent.service is None else intent.service
    yield Option("s", "--service", "in", value, replace(intent, service=following))


def _priority(intent: Intent, observation: Observation | None, action: Action | None) -> Iterator[Option]:
    if not intent.reset:
        value = str(intent.value) if intent.value else "?"
        yield Option("v", "VALUE", "value", value, ask=_new_priority(intent, observation))
        tracked = intent.use_track_file
        if tracked is None and action is not None:
            tracked = any(step.kind == SetTrackValue.kind for step in action.steps)
        by = "the better way" if tracked is None else "its track file" if tracked else "its config"
        yield Option("t", "--track-file", "by", by, replace(intent, use_track_file=not tracked))
    yield Option("r", "--reset", "reset", _yes(on=intent.reset), replace(intent, reset=not intent.reset))


def _new_priority(intent: Intent, observation: Observation | None) -> Ask:
    instances = (observation.vrrp_instances or ()) if observation is not None else ()
    now = next((i.effective_priority or i.priority for i in instances if i.name == intent.target), None)
    what = f"New priority of {intent.target}" + (f" (now {now})" if now is not None else "")
    return Ask(what, 1, 254 if intent.use_track_file else 255, lambda n: replace(intent, value=n, reset=False))


def _undo(intent: Intent, action: Action | None) -> Iterator[Option]:
    """The ways on from an action that was cut short; one that has ended can only be taken back."""
    cut_short = action is not None and (action.finishes is not None or action.closing == "put back")
    if not (cut_short or intent.finish or intent.leave):
        return
    finish = replace(intent, finish=not intent.finish, leave=False)
    leave = replace(intent, leave=not intent.leave, finish=False)
    yield Option("c", "--finish", "complete it instead", _yes(on=intent.finish), finish)
    yield Option("x", "--leave", "leave it as it is", _yes(on=intent.leave), leave)


def _yes(*, on: bool) -> str:
    return "yes" if on else "no"
