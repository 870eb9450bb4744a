"""At the start: an interrupted action (kill -9, power loss), its state, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.presenters.journal import unfinished_text
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import PlanPanel

if TYPE_CHECKING:
    from kvtui.actions.core.recovery import Recovery
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host


class UnfinishedPanel(Panel):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "go('undo')", "Put back", id="plan.back", tooltip="Put back what it changed"),
        Binding("c", "go('finish')", "Complete", id="plan.finish", tooltip="Complete what it began"),
        Binding("x", "go('leave')", "As it is", id="plan.as_is", tooltip="Leave things as they are, close the entry"),
    ]

    def __init__(self, host: Host, recovery: Recovery) -> None:
        super().__init__(host, "An action was interrupted")
        self._recovery = recovery

    def text(self, observation: Observation | None) -> str:
        del observation
        return unfinished_text(self._recovery)

    def action_go(self, way: str) -> None:
        entry = self._recovery.entry
        intent = Intent(ActionKind.UNDO, entry.id, finish=way == "finish", leave=way == "leave")
        self.app.pop_screen()
        self.app.push_screen(PlanPanel(self.host, intent))
