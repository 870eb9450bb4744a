"""At the start: an action that was cut short (kill -9, power), what state things are in, and the ways on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from kvtui.actions.intent import Intent
from kvtui.actions.plan import Verb
from kvtui.model.text import plain
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import PlanPanel

if TYPE_CHECKING:
    from kvtui.actions.recovery import Recovery
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host


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
    heading = "An action was cut short"

    def __init__(self, host: Host, recovery: Recovery) -> None:
        super().__init__(host)
        self._recovery = recovery

    def text(self, seen: Observation | None) -> str:
        """What it was, where each step is, what can be done."""
        del seen
        return unfinished_text(self._recovery)

    def action_go(self, way: str) -> None:
        """Plan one of the ways on."""
        entry = self._recovery.entry
        intent = Intent(Verb.UNDO, entry.id, finish=way == "finish", leave=way == "leave")
        self.app.pop_screen()
        self.app.push_screen(PlanPanel(intent))


def unfinished_text(recovery: Recovery) -> str:
    """The action in words."""
    entry = recovery.entry
    by = entry.who.get("user", "somebody")
    lines = [f"{plain(entry.id)}, by {plain(by)}: {plain(entry.summary)}", "", plain(recovery.sentence), ""]
    lines += [f"  {f.side.value if f.side else 'cannot be told':<14} {plain(f.text)}" for f in recovery.steps]
    lines += ["", "u puts it back   c completes it   x leaves things as they are   Esc: later (screen 7)"]
    return "\n".join(lines)
