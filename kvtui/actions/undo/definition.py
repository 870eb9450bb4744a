from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Argument, Flag, PlanRequest, UsageError
from kvtui.actions.core.intent import CannotPlanError, Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.dialog_options import Option
    from kvtui.actions.core.runner import Action
    from kvtui.model.observation import Observation


def undo(
    entry: Annotated[str, Argument("From `kvtui journal`; else the newest.", "[ID]")] = "",
    finish: Annotated[bool, Flag("--finish", "Finish an action that was interrupted.")] = False,
    leave: Annotated[bool, Flag("--leave", "Leave things as they are and close the entry.")] = False,
) -> Intent:
    """Undo an action.

    Refused when something else has changed the same value since.

    Example: kvtui undo
    """
    if finish and leave:
        raise UsageError("give either --finish or --leave", "--leave")
    return Intent(ActionKind.UNDO, entry, finish=finish, leave=leave)


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.undo.outcome import with_outcome  # noqa: PLC0415

    action = await to_thread(_plan_now, request.intent, request.backend)
    return action if request.intent.leave else await to_thread(with_outcome, action, request)


def _plan_now(intent: Intent, backend: ActionBackend) -> Action:
    from kvtui.actions.core import recovery  # noqa: PLC0415 - see core.definition

    journal = backend.journal
    # the newest interrupted action first: a repair comes before what it repaired
    left = journal.unfinished()
    entry = journal.entry(intent.target) if intent.target else left[-1] if left else journal.undoable()
    if entry is None:
        known = f"no entry {intent.target}" if intent.target else "nothing to undo"
        raise CannotPlanError(f"the journal in {journal.folder} has {known}: see kvtui journal")
    if intent.leave:
        return recovery.leave(entry, backend)
    if intent.finish:
        return recovery.finish(entry, backend)
    entries = journal.entries()
    place = next((n for n, e in enumerate(entries) if e.id == entry.id), len(entries))
    return recovery.undo(entry, backend, entries[place + 1 :])


def _options(intent: Intent, _observation: Observation | None, action: Action | None) -> Iterator[Option]:
    from msgspec.structs import replace  # noqa: PLC0415 - see core.definition

    from kvtui.actions.core.dialog_options import Option, yes_no  # noqa: PLC0415

    cut_short = action is not None and (action.finishes is not None or action.resolution == "put back")
    if cut_short or intent.finish or intent.leave:
        finish = replace(intent, finish=not intent.finish, leave=False)
        leave = replace(intent, leave=not intent.leave, finish=False)
        yield Option("c", "--finish", "complete it instead", yes_no(on=intent.finish), finish)
        yield Option("x", "--leave", "leave it as it is", yes_no(on=intent.leave), leave)


UNDO = ActionDefinition(ActionKind.UNDO, undo, _plan, "u", "Undo", "Undo the last action", dialog_options=_options)
