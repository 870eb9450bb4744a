from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.dialog_options import Option, yes_no

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.runner import Action


def undo_options(intent: Intent, action: Action | None) -> Iterator[Option]:
    cut_short = action is not None and (action.finishes is not None or action.resolution == "put back")
    if not (cut_short or intent.finish or intent.leave):
        return
    finish = replace(intent, finish=not intent.finish, leave=False)
    leave = replace(intent, leave=not intent.leave, finish=False)
    yield Option("c", "--finish", "complete it instead", yes_no(on=intent.finish), finish)
    yield Option("x", "--leave", "leave it as it is", yes_no(on=intent.leave), leave)
