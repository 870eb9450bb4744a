"""The terminal UI: observations arrive as messages, screens draw them, keys plan actions."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding
from textual.filter import NoColor
from textual.message import Message

from kvtui.model.config import Theme
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.text import plain
from kvtui.presenters.keymap import key_name, keymap
from kvtui.presenters.keys import APP, VIEWS
from kvtui.presenters.sources import sources_text
from kvtui.rules.timeline.events import Timeline
from kvtui.rules.timeline.history import SPANS, History
from kvtui.rules.timeline.masters import Masters
from kvtui.screens.key_panels import KEYS, CopyPanel, HelpPanel, copy_sequence
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import LivePanel, Panel, is_drawable
from kvtui.textual_internals import TerminalApp, drop_drawn_lines
from kvtui.widgets.bindings import bindings
from kvtui.widgets.output_filters import AsciiFilter, ControlCharFilter, FilterChain, NoDimFilter
from kvtui.widgets.themes import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.await_complete import AwaitComplete
    from textual.binding import BindingType
    from textual.filter import LineFilter
    from textual.screen import Screen

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.cluster_observer import ClusterObserver
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation
    from kvtui.model.settings import UiSettings
    from kvtui.observer import Observer
    from kvtui.presenters.keys import View
    from kvtui.screens.host import Host

PALETTE_SCOPES = frozenset({"view", "act", "app", "ipvs", "events", "journal", "findings"})
MAX_NOTICE_CHARACTERS = 160
"""A notification covers a part of the screen."""

MAX_CLOSED_SCREENS = 5
"""Closed screens that may wait for a full garbage collection: their widgets refer to each other, and hold 0.2 MB each.
It takes 5 to 30 ms (10,000 real servers)."""

SOURCES = "Sources"
AFTER_CRASH = "To see the node: kvtui status. To see past actions: kvtui journal"

EXIT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the app as ``q`` does; the exit code is 128 plus their number."""


@dataclass
class Observed(Message):
    """``is_kept``: it goes into what the screens show of the past."""

    observation: Observation
    is_kept: bool = True

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Observed)


def _create(view: View, host: Host) -> Screen[None]:
    module, name = view.screen
    screen: Callable[[Host], Screen[None]] = getattr(import_module(f"kvtui.screens.{module}"), name)
    return screen(host)


class KvtuiApp(TerminalApp):
    TITLE = "kvtui"
    # terminals disagree about the width of the icon; toasts cover neither header nor panel, which makes room for them
    CSS = """
    CommandPalette SearchIcon { display: none; }
    ToastRack { dock: top; align: right top; margin: 2 0 0 0; overflow-y: hidden; }
    ModalScreen ToastRack { layer: default; margin: 0; }
    Toast { max-width: 70%; padding: 0 1; margin: 0; background: $panel; &:ansi { border: solid $frame; } }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(APP),
        Binding("ctrl+p", "command_palette", system=True),  # Textual adds it only where no other key opens the palette
    ]
    DEFAULT_MODE = "vips"

    def __init__(self, observer: Observer, settings: UiSettings) -> None:
        super().__init__()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = (Theme.DARK if settings.theme is Theme.AUTO else settings.theme).value
        for name in self.available_themes.keys() - THEMES.keys():
            self.unregister_theme(name)  # their contrast is not tested
        self.settings = settings
        self.keymap = keymap(settings.keys)
        self.history = History()
        self.span = SPANS[1]
        self.timeline = Timeline()
        self.masters = Masters()
        self.latest: Observation | None = None
        self.paused = False
        self._closed_screens = 0
        self.ended_by: KeepalivedNotFoundError | None = None
        self.kept_drains: set[str] = set()
        for view in VIEWS:
            self.add_mode(view.name, partial(_create, view, self))
        self.observer = observer
        self.newest: Observation | None = None
        """Also while paused, where ``latest`` stays."""
        self._next: list[asyncio.Future[Observation]] = []
        self._acting: asyncio.Task[Outcome] | None = None
        self._filter_chain = FilterChain(())
        self._no_dim, self._no_color = NoDimFilter(), NoColor()
        self._more_filters: list[LineFilter] = [ControlCharFilter(), *([AsciiFilter()] if settings.ascii else [])]

    def get_line_filters(self) -> Sequence[LineFilter]:
        no_color = [self._no_color] if self.theme == Theme.MONO else []
        filters = (self._no_dim, *super().get_line_filters(), *no_color, *self._more_filters)
        if filters != self._filter_chain.filters:  # kept while it is the same: drawn lines are found by it
            self._filter_chain = FilterChain(filters)
        return [self._filter_chain]

    def on_mount(self) -> None:
        for number in EXIT_SIGNALS:
            # by default they would end kvtui without restoring the terminal
            asyncio.get_running_loop().add_signal_handler(number, partial(self.exit, return_code=128 + number))
        self.set_keymap(dict(self.keymap.keys))
        self._notify_problems()
        self.watch_terminal()
        self._observe()
        if self.settings.source_label != "replay":
            self._watch_journal()

    def crash_text(self, error: BaseException) -> str:
        from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - once, at the end
        from kvtui.backend.diagnostics import crash_report  # noqa: PLC0415 - as above

        return f"{crash_report.save(error, folder())}\n{AFTER_CRASH}"

    def _notify_problems(self) -> None:
        if problems := (*self.settings.notices, *self.keymap.problems):
            first = plain(problems[0], MAX_NOTICE_CHARACTERS)
            more = f"\nand {len(problems) - 1} more: kvtui config show" if len(problems) > 1 else ""
            self.notify(f"{first}{more}", title="Configuration", severity="warning", timeout=20, markup=False)

    async def on_unmount(self) -> None:
        """Waits for a running action to be undone; a second signal does not interrupt that."""
        if self._acting is not None and not self._acting.done():
            self._acting.cancel()
            await asyncio.wait([self._acting])
        await self.observer.close()
        if "cluster" in vars(self):
            await self.cluster.close()
        for number in EXIT_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    @work(exclusive=True, name="observe")
    async def _observe(self) -> None:
        try:
            async with aclosing(self.observer.observations()) as observations:
                if self.observer.has_history:
                    await self._add_earlier_observations(await anext(observations))
                async for observation in observations:
                    self.post_message(Observed(observation))
        except KeepalivedNotFoundError as error:
            self.ended_by = error
            self.exit()

    async def _add_earlier_observations(self, first: Observation) -> None:
        """Shows the first observation, and makes the past once it is drawn: the past would delay the first frame."""
        self.post_message(Observed(first, is_kept=False))
        await self.next_observation()
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)
        await drawn.wait()
        for observation in self.observer.earlier_observations():
            self.history.add(observation)
            self.masters.add(observation)
        self.post_message(Observed(first))

    @on(Observed)
    def _observed(self, message: Observed) -> None:
        if self._closed_screens > MAX_CLOSED_SCREENS:
            self._closed_screens = 0
            gc.collect()
        if message.is_kept:
            self.history.add(message.observation)
            self.timeline.add(message.observation)
            self.masters.add(message.observation)
        futures, self._next = self._next, []
        for future in futures:
            if not future.done():
                future.set_result(message.observation)
        self.newest = message.observation
        if not self.paused:
            self.latest = self.newest
            self.show_latest()

    def show_latest(self) -> None:
        if self.latest is None:
            return
        viewed: frozenset[ServiceKey] = frozenset()
        for screen in self.screen_stack:
            if isinstance(screen, NodeScreen | LivePanel):
                screen.show(self.latest)
            if isinstance(screen, NodeScreen) and is_drawable(screen):
                viewed |= screen.viewed_servers(self.latest)
        self.observer.look_at(viewed)

    # --- other nodes

    @cached_property
    def cluster(self) -> ClusterObserver:
        from kvtui.cluster_observer import ClusterObserver  # noqa: PLC0415 - most nodes name no others

        cluster = ClusterObserver(self.settings.cluster)
        cluster.start()
        return cluster

    @work(exclusive=True, name="session")
    async def open_node(self, name: str) -> None:
        if error := await self.run_in_terminal(self.cluster.session(name)):
            self.notify(f"{plain(name)}: {plain(error)}", severity="error", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del action
        return "cluster" not in parameters or bool(self.settings.cluster.hosts)

    # --- acting

    @work(name="journal")
    async def _watch_journal(self) -> None:
        await self.next_observation()
        # imports all actions: in a thread, so that no key waits
        module = await asyncio.to_thread(import_module, "kvtui.screens.journal")
        await module.JournalWatch(self, self).run()

    @cached_property
    def backend(self) -> ActionBackend:
        from kvtui.actions.backends import backend_for  # noqa: PLC0415 - only when something is done

        return backend_for(self.observer.source)

    async def next_observation(self) -> Observation:
        future: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()
        self._next.append(future)
        return await future

    def carry_out(
        self, action: Action, *, force: bool, reason: str, progress: Callable[[str], None]
    ) -> asyncio.Task[Outcome]:
        from kvtui.actions.core.runner import Runner  # noqa: PLC0415 - only when something is done

        runner = Runner(
            self.backend.journal, read_only=bool(self.latest and self.latest.snapshot.node.read_only), progress=progress
        )
        self._acting = asyncio.create_task(runner.run(action, force=force, reason=reason))
        return self._acting

    def action_act(self, kind: str) -> None:
        from kvtui.screens.plan_panel import open_plan_panel  # noqa: PLC0415 - imports all actions

        if isinstance(self.screen, NodeScreen) and (why := open_plan_panel(self.screen, kind)):
            self.notify(why, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        super().copy_to_clipboard(text)
        if escape := copy_sequence(text, self.settings.clipboard):
            self.write_to_terminal(escape)

    # --- keys

    def pop_screen(self) -> AwaitComplete:
        self._closed_screens += 1
        return super().pop_screen()

    async def action_view(self, name: str) -> None:
        await self._close_panels()
        hidden = self.screen
        await self.switch_mode(name)
        if hidden is not self.screen:
            drop_drawn_lines(hidden)

    async def action_sources(self) -> None:
        if not await self._close_panels(SOURCES):
            await self.push_screen(Panel(self, SOURCES, sources_text))

    async def action_keys(self) -> None:
        if not await self._close_panels(KEYS):
            active = self.screen.active_bindings.values()
            listed = [binding for _node, binding, enabled, _tip in active if enabled and not binding.system]
            await self.push_screen(HelpPanel(self, listed))

    async def action_below(self, action: str) -> None:
        """Runs an action of the screen below the panels; closes an earlier copy panel."""
        if isinstance(self.screen, CopyPanel):
            await self.pop_screen()
        below = next(s for s in reversed(self.screen_stack) if isinstance(s, NodeScreen))
        await self.run_action(action, below)

    async def _close_panels(self, heading: str = "") -> bool:
        """Closes all panels. Returns whether the uppermost had this heading."""
        is_open = isinstance(self.screen, Panel) and self.screen.heading == heading
        while isinstance(self.screen, Panel):
            await self.pop_screen()
        return is_open

    def action_help_quit(self) -> None:
        """Says how to leave after Ctrl+C, which copies in a prompt and must not interrupt an action."""
        self.notify(f"{self.keymap.hint('q', '')} quits kvtui; Ctrl+Q quits from anywhere.", markup=False)

    def action_span(self, step: int) -> None:
        self.span = SPANS[min(max(SPANS.index(self.span) + step, 0), len(SPANS) - 1)]
        self.show_latest()

    def action_pause(self) -> None:
        self.paused = not self.paused
        if not self.paused:
            self.latest = self.newest
        self.show_latest()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette lists what keys do, except moving the cursor and opening the palette, and the themes."""
        for node, binding, enabled, _tip in screen.active_bindings.values():
            kind = (binding.id or "").split(".")[0]
            if enabled and kind in PALETTE_SCOPES and not binding.system and binding.id != "app.commands":
                help_text = f"{key_name(binding.key)}  {binding.tooltip}"
                run = partial(self.call_later, self.run_action, binding.action, node)
                yield SystemCommand(binding.description, help_text, run)
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
