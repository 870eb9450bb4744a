"""At the start: an interrupted action (kill -9, power loss), its state, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.model.text import plain
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import PlanPanel

if TYPE_CHECKING:
    from kvtui.actions.core.recovery import Recovery
    from kvtui.model.observation import Observation


class UnfinishedPanel(Panel):
    """One action that began and never ended.

    Args:
        recovery: where each of its steps is now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "go('undo')", "Put back", id="plan.back", tooltip="Put back what it changed"),
        Binding("c", "go('finish')", "Complete", id="plan.finish", tooltip="Complete what it began"),
        Binding("x", "go('leave')", "As it is", id="plan.as_is", tooltip="Leave things as they are, close the entry"),
    ]
    heading = "An action was interrupted"

    def __init__(self, recovery: Recovery) -> None:
        super().__init__()
        self._recovery = recovery

    def text(self, seen: Observation | None) -> str:
        del seen
        return unfinished_text(self._recovery)

    def action_go(self, way: str) -> None:
        entry = self._recovery.entry
        intent = Intent(ActionKind.UNDO, entry.id, finish=way == "finish", leave=way == "leave")
        self.app.pop_screen()
        self.app.push_screen(PlanPanel(intent))


def unfinished_text(recovery: Recovery) -> str:
    """The action in words."""
    entry = recovery.entry
    by = entry.who.get("user", "an unknown user")
    lines = [f"{plain(entry.id)}, by {plain(by)}: {plain(entry.summary)}", "", plain(recovery.sentence), ""]
    lines += [f"  {f.state.value if f.state else 'unknown':<14} {plain(f.text)}" for f in recovery.steps if f.text]
    lines += ["", "u put back · c complete · x leave things as they are · Esc later (screen 7)"]
    return "\n".join(lines)
