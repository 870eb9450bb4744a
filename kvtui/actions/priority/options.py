from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.dialog_options import Ask, Option, yes_no

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.runner import Action
    from kvtui.model.observation import Observation


def priority_options(intent: Intent, observation: Observation | None, action: Action | None) -> Iterator[Option]:
    if not intent.reset:
        value = str(intent.value) if intent.value else "?"
        yield Option("v", "VALUE", "value", value, ask=ask_priority(intent, observation))
        tracked = intent.use_track_file
        if tracked is None and action is not None:
            tracked = any(step.kind == "track value" for step in action.steps)
        by = "automatic" if tracked is None else "its track file" if tracked else "its config"
        yield Option("t", "--track-file", "method", by, replace(intent, use_track_file=not tracked))
    yield Option("r", "--reset", "reset", yes_no(on=intent.reset), replace(intent, reset=not intent.reset))


def ask_priority(intent: Intent, observation: Observation | None) -> Ask:
    instances = (observation.vrrp_instances or ()) if observation is not None else ()
    now = next((i.effective_priority or i.priority for i in instances if i.name == intent.target), None)
    what = f"New priority of {intent.target}" + (f" (now {now})" if now is not None else "")
    return Ask(what, 1, 254 if intent.use_track_file else 255, lambda n: replace(intent, value=n, reset=False))
