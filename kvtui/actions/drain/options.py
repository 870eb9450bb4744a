from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.dialog_options import Ask, Option, yes_no
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.targets import service_option
from kvtui.model.ipvs import endpoint
from kvtui.model.units import ago

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView

WAITS = (60.0, 300.0, 1800.0)  # seconds that a key chooses from for `--wait`
OVERS = (30.0, 60.0, 300.0)  # seconds that a key chooses from for `--over`
DAY = 86400


def intent_for(virtual: VirtualServerView, real: RealServerView) -> Intent:
    """Returns the intent to drain this real server, or to undrain it when it has weight 0."""
    kind = ActionKind.UNDRAIN if real.weight == 0 else ActionKind.DRAIN
    return Intent(kind, endpoint(*real.key), service=service_option(virtual.key))


def drain_options(intent: Intent, observation: Observation | None) -> Iterator[Option]:
    """Yields what the dialog of a drain offers; that of an undrain has the first one only."""
    places = _places(intent, observation)
    services: list[str | None] = [*dict.fromkeys(service_option(v.key) for v in places), None]
    if intent.service not in services:
        services.insert(0, intent.service)
    following = services[(services.index(intent.service) + 1) % len(services)]
    value = f"all that have it ({len(places)})" if intent.service is None else intent.service
    yield Option("s", "--service", "in", value, replace(intent, service=following))
    if intent.kind is ActionKind.UNDRAIN:
        return
    waited = "no" if intent.wait is None else f"at most {ago(intent.wait)}"
    longer = replace(intent, wait=_next(intent.wait or 0.0, WAITS) or None)
    wait = Ask("Seconds to wait until it is empty, at most", 1, DAY, lambda n: replace(intent, wait=float(n)))
    yield Option("w", "--wait", "wait", waited, longer, wait)
    slowly = ago(intent.over) if intent.over else "at once"
    over = Ask("Seconds over which the weight goes down", 1, DAY, lambda n: replace(intent, over=float(n)))
    yield Option("o", "--over", "over", slowly, replace(intent, over=_next(intent.over, OVERS)), over)
    yield Option("k", "--keep", "keep", yes_no(on=intent.keep), replace(intent, keep=not intent.keep))
    meant = [v for v in places if intent.service in {None, service_option(v.key)}]
    fix = intent.fix_persistence
    if fix or any(v.persistence_timeout is not None for v in meant):
        other = replace(intent, fix_persistence=not fix)
        yield Option("x", "--fix-persistence", "fix persistence", yes_no(on=fix), other)


def _next(value: float, ladder: tuple[float, ...]) -> float:
    return next((step for step in ladder if step > value), 0.0)


def _places(intent: Intent, observation: Observation | None) -> list[VirtualServerView]:
    found = (observation.virtual_servers or ()) if observation is not None else ()
    return [
        v
        for v in found
        if any(r.weight is not None and intent.target in {r.address, endpoint(*r.key)} for r in v.real_servers)
    ]
