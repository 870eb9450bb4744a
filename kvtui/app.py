"""The terminal UI: observations come in as messages, screens draw them, keys send intents."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding
from textual.filter import NoColor
from textual.message import Message

from kvtui.model.config import Theme
from kvtui.presenters.keymap import keymap
from kvtui.presenters.keys import APP
from kvtui.screens.help import HelpPanel
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.lifecycle import is_drawable
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import LivePanel, Panel
from kvtui.screens.sources import SourcesPanel
from kvtui.screens.vips import VipsScreen
from kvtui.screens.vrrp import VrrpScreen
from kvtui.textual_internals import TerminalApp
from kvtui.widgets.bindings import bindings
from kvtui.widgets.clipboard import sequence
from kvtui.widgets.history import History
from kvtui.widgets.output_filters import AsciiFilter, ControlCharFilter, NoDimFilter
from kvtui.widgets.themes import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.binding import BindingType
    from textual.dom import DOMNode
    from textual.filter import LineFilter
    from textual.screen import Screen

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.model.connect import Connect
    from kvtui.model.ipvs import Connection, ServiceKey
    from kvtui.model.log import LogTail
    from kvtui.model.observation import Observation
    from kvtui.model.settings import UiSettings
    from kvtui.observer import Observer


COMMANDS = frozenset({"view", "act", "app", "ipvs", "journal", "findings"})
"""The kinds of bindings (the first word of their id) that the palette offers."""

LONGEST = 160
"""Characters of the sentence about the configuration that is told at the start: toasts hide what is below them."""

AFTER_CRASH = "To see the node: kvtui status. What was done: kvtui journal"

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the app as ``q`` does, with the exit code of a shell: 128 and their number."""


class Observed(Message):
    """A new observation."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Of a burst only the newest is drawn."""
        return isinstance(message, Observed)


def _journal() -> Screen[None]:
    from kvtui.screens.journal import JournalScreen  # noqa: PLC0415 - brings all actions with it

    return JournalScreen()


def _mappings() -> Screen[None]:
    from kvtui.screens.mappings import MappingsScreen  # noqa: PLC0415 - only on its key

    return MappingsScreen()


def _findings() -> Screen[None]:
    from kvtui.screens.findings import FindingsScreen  # noqa: PLC0415 - only on its key

    return FindingsScreen()


class KvtuiApp(TerminalApp):
    """kvtui.

    Args:
        observer: gives observations; the app closes it.
        settings: how to draw.
    """

    TITLE = "kvtui"
    ENABLE_COMMAND_PALETTE = True
    # a double-width picture before the palette's entry: no console and few terminals agree on its width
    CSS = "CommandPalette SearchIcon { display: none; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(APP),
        Binding("ctrl+p", "command_palette", system=True),  # Textual has it only where no other key does it
    ]
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        "vips": VipsScreen,
        "vrrp": VrrpScreen,
        "ipvs": IpvsScreen,
        "mappings": _mappings,
        "findings": _findings,
        "journal": _journal,
    }
    DEFAULT_MODE = "vips"

    def __init__(self, observer: Observer, settings: UiSettings) -> None:
        super().__init__()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = (Theme.DARK if settings.theme is Theme.AUTO else settings.theme).value
        for name in self.available_themes.keys() - THEMES.keys():
            self.unregister_theme(name)  # nobody has looked at their contrast
        self.settings = settings
        self.keymap = keymap(settings.keys)
        self.history = History()
        self.latest: Observation | None = None
        self.paused = False
        self.ended_by: LookupError | None = None
        self._observer = observer
        self._waiting: Observation | None = None
        self._next: list[asyncio.Future[Observation]] = []
        self._acting: asyncio.Task[Outcome] | None = None
        self._more_filters: list[LineFilter] = [ControlCharFilter(), *([AsciiFilter()] if settings.ascii else [])]

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Every line goes through these on its way to the terminal."""
        none = [NoColor()] if self.theme == Theme.MONO else []
        return [NoDimFilter(), *super().get_line_filters(), *none, *self._more_filters]

    def on_mount(self) -> None:
        """Start to observe; the first frame waits for nothing."""
        for number in ENDING:
            # Textual leaves them to their default, which leaves the terminal raw and on its other screen
            asyncio.get_running_loop().add_signal_handler(number, self._end, number)
        self.set_keymap(dict(self.keymap.keys))
        self._tell_problems()
        self._observe()
        if self.settings.source_label in {"live", "demo"}:
            self._watch_journal()

    def crash_text(self, error: BaseException) -> str:
        """Save a crash report; returns where it is, and what to do now."""
        from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - once, at the end
        from kvtui.backend.diagnostics import crash_report  # noqa: PLC0415 - as above

        return f"{crash_report.save(error, folder())}\n{AFTER_CRASH}"

    def _end(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _tell_problems(self) -> None:
        """What of the configuration is not used: the first sentence, and where the others are. Esc takes it away."""
        if problems := (*self.settings.notices, *self.keymap.problems):
            first = problems[0] if len(problems[0]) <= LONGEST else f"{problems[0][: LONGEST - 1]}…"
            more = f"\nand {len(problems) - 1} more: kvtui config show" if len(problems) > 1 else ""
            self.notify(f"{first}{more}", title="Configuration", severity="warning", timeout=20, markup=False)

    async def on_unmount(self) -> None:
        """Give sockets back, and the signals: a second one does not cut off what is put back."""
        if self._acting is not None and not self._acting.done():
            self._acting.cancel()  # it puts back what it changed; that must come to its end
            await asyncio.wait([self._acting])
        await self._observer.close()
        for number in ENDING:
            asyncio.get_running_loop().remove_signal_handler(number)

    @work(exclusive=True, name="observe")
    async def _observe(self) -> None:
        try:
            async with aclosing(self._observer.observations()) as observations:
                async for seen in observations:
                    self.post_message(Observed(seen))
        except LookupError as gone:
            self.ended_by = gone
            self.exit()

    @on(Observed)
    def _observed(self, message: Observed) -> None:
        self.history.add(message.observation)
        awaiting, self._next = self._next, []
        for future in awaiting:
            if not future.done():
                future.set_result(message.observation)
        if self.paused:
            self._waiting = message.observation
            return
        self.latest = message.observation
        self._draw()

    def _draw(self) -> None:
        if self.latest is None:
            return
        watched: frozenset[ServiceKey] = frozenset()
        for screen in self.screen_stack:
            if isinstance(screen, NodeScreen | Panel | LivePanel):
                screen.show(self.latest)
            if isinstance(screen, NodeScreen) and is_drawable(screen):
                watched |= screen.looked_at(self.latest)
        self._observer.look_at(watched)

    async def connections(
        self, service: ServiceKey, real: tuple[str, int] | None, limit: int
    ) -> tuple[tuple[Connection, ...], int]:
        """See ``Observer.connections``."""
        return await self._observer.connections(service, real, limit)

    async def keepalived_log(self) -> LogTail:
        """See ``Observer.log``."""
        return await self._observer.log()

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        """See ``SnapshotSource.connect``."""
        return await self._observer.source.connect(address, port, timeout)

    # --- acting

    @work(name="journal")
    async def _watch_journal(self) -> None:
        """What was cut short is offered once, at the start; drains that were undone are told as they are found."""
        await self.next_observation()
        # It brings all actions with it: read in a thread, after the first frame, so that nothing waits for it.
        module = await asyncio.to_thread(import_module, "kvtui.screens.journal_watch")
        await module.JournalWatch(self, self.next_observation, self.backend).run()

    @cached_property
    def backend(self) -> ActionBackend:
        """Where the actions take place: this machine, or the demo's world with a journal of its own."""
        from kvtui.actions.backends import backend_for  # noqa: PLC0415 - only when something is done

        return backend_for(self._observer.source)

    async def next_observation(self) -> Observation:
        """The next one that comes."""
        future: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()
        self._next.append(future)
        return await future

    def carry_out(
        self, action: Action, *, force: bool, reason: str, progress: Callable[[str], None]
    ) -> asyncio.Task[Outcome]:
        """Run an action in a task of its own; the app does not end before it has."""
        from kvtui.actions.core.runner import Runner  # noqa: PLC0415 - only when something is done

        runner = Runner(
            self.backend.journal, read_only=bool(self.latest and self.latest.snapshot.node.read_only), progress=progress
        )
        self._acting = asyncio.create_task(runner.run(action, force=force, reason=reason))
        return self._acting

    def action_act(self, kind: str) -> None:
        """Open the dialog of an action, or say why not."""
        from kvtui.screens.acting import start  # noqa: PLC0415 - only when something is done

        if why := start(self, kind, self.latest):
            self.notify(why, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """By OSC 52, through tmux and screen too."""
        super().copy_to_clipboard(text)
        if written := sequence(text, self.settings.clipboard):
            self.write_to_terminal(written)

    # --- keys

    async def action_view(self, name: str) -> None:
        """Switch the screen; a panel over it is closed first."""
        await self._close_panels()
        await self.switch_mode(name)

    async def action_sources(self) -> None:
        """Open the sources, or close them."""
        if not await self._close_panels(SourcesPanel):
            await self.push_screen(SourcesPanel())

    async def action_keys(self) -> None:
        """Open the keys of the screen below, or close them."""
        if not await self._close_panels(HelpPanel):
            bindings = self.screen.active_bindings.values()
            await self.push_screen(HelpPanel([b for _node, b, enabled, _tip in bindings if enabled and not b.system]))

    async def action_below(self, action: str) -> None:
        """Do what a key does on the screen below a panel; what it copied before makes room."""
        from kvtui.screens.copying import CopyPanel  # noqa: PLC0415 - only on the key

        if isinstance(self.screen, CopyPanel):
            await self.pop_screen()
        below = next(s for s in reversed(self.screen_stack) if isinstance(s, NodeScreen))
        await self.run_action(action, below)

    async def _close_panels(self, kind: type[Panel] = Panel) -> bool:
        """Close all panels; whether the uppermost was one of this kind."""
        was = isinstance(self.screen, kind)
        while isinstance(self.screen, Panel):
            await self.pop_screen()
        return was

    def action_help_quit(self) -> None:
        """Say after Ctrl+C, which copies in a prompt and would cut off an action, how to leave."""
        self.notify(f"{self.keymap.hint('q', '')} leaves kvtui; Ctrl+Q does from anywhere.", markup=False)

    def action_pause(self) -> None:
        """Stand still, or go on with the newest observation."""
        self.paused = not self.paused
        if not self.paused and self._waiting is not None:
            self.latest, self._waiting = self._waiting, None
        self._draw()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the keys do, and the themes; not moving about, nor itself."""
        for node, binding, enabled, _tip in screen.active_bindings.values():
            kind = (binding.id or "").split(".")[0]
            if enabled and kind in COMMANDS and not binding.system and binding.id != "app.commands":
                yield SystemCommand(binding.description, binding.tooltip, self._runner(binding.action, node))
        yield SystemCommand("Theme", "Other colours", self.action_change_theme)

    def _runner(self, action: str, owner: DOMNode) -> Callable[[], None]:
        def run() -> None:
            self.call_later(self.run_action, action, owner)

        return run
