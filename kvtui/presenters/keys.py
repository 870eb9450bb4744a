"""All keys of the terminal UI: the source of bindings, help, man page and ``kvtui config``."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.registry import ACTIONS
from kvtui.presenters.views import VIEWS


class Key(Struct, frozen=True):
    """A binding.

    Attributes:
        id: name in the configuration.
        help: one line in the help; empty if another binding with this id has it.
        show: whether it is one of the main keys.
        priority: handled before the focused widget.
        system: not listed, because another binding with this id is.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    show: bool = True
    priority: bool = False
    system: bool = False


VIEW_KEYS = tuple(Key(f"view.{v.name}", v.key, f"view('{v.name}')", v.label, v.help) for v in VIEWS)
ACTING = tuple(Key(f"act.{a.kind}", a.key, f"act('{a.kind}')", a.label, a.tooltip) for a in ACTIONS if a.key)
ALWAYS = (
    Key("app.sources", "i", "sources", "Sources", "Sources and their state"),
    Key("app.pause", "space", "pause", "Pause", "Pause or continue"),
    Key("app.shorter", "left_square_bracket", "span(-1)", "Shorter", "Time span of charts", show=False),
    Key("app.longer", "right_square_bracket", "span(1)", "Longer", "Time span of charts", show=False),
    Key("app.keys", "question_mark", "keys", "Keys", "Show these keys"),
)
APP = (
    *VIEW_KEYS,
    *ACTING,
    *ALWAYS,
    Key("app.commands", "colon", "command_palette", "Commands", "Search commands"),
    Key("app.quit", "q", "quit", "Quit", "Quit kvtui"),
)
"""Bindings of the app."""

NODE_SCREEN = (
    # priority: on a slow line the d of "/dns" would drain otherwise
    Key("view.filter", "slash", "filter", "Filter", "Filter the rows", priority=True),
    Key("view.trace", "t", "trace", "Trace", "Trace the chain of this VIP"),
    Key("view.sort", "s", "sort(1)", "Sort", "Sort by the next column"),
    Key("view.reverse", "S", "reverse", "Reverse", "Reverse the sort order"),
    Key("view.copy", "y", "copy", "Copy", "Copy the equivalent command"),
    Key("view.copy_row", "Y", "copy_row", "Copy row", "Copy the row"),
    Key("view.clear", "escape", "clear", "Clear", "Clear the filter", show=False),
)
"""Bindings of every screen."""

TABLE = (
    Key("table.up", "up,k", "move(-1)", "Up", "One row up", show=False),
    Key("table.down", "down,j", "move(1)", "Down", "One row down", show=False),
    Key("table.page_up", "pageup", "page(-1)", "Page up", "A page up", show=False),
    Key("table.page_down", "pagedown", "page(1)", "Page down", "A page down", show=False),
    Key("table.first", "home,g", "edge(-1)", "First", "The first row", show=False),
    Key("table.last", "end,G", "edge(1)", "Last", "The last row", show=False),
    Key("table.detail", "enter", "choose", "Detail", "Details of this row", show=False),
)
IPVS = (
    Key("ipvs.fold", "left", "fold(True)", "Fold", "Collapse the real servers", show=False),
    Key("ipvs.unfold", "right", "fold(False)", "Unfold", "Expand the real servers", show=False),
    Key("ipvs.fold_all", "minus", "fold_all(True)", "Fold all", "Collapse all", show=False),
    Key("ipvs.unfold_all", "plus", "fold_all(False)", "Unfold all", "Expand all", show=False),
)
EVENTS = (
    Key("events.kind", "e", "kind(1)", "Kind", "Events of the next kind"),
    Key("events.kind_back", "E", "kind(-1)", "Kind", "Events of the kind before", show=False),
)
JOURNAL = (
    Key("journal.undo", "u", "undo", "Undo", "Undo the selected action"),
    Key("journal.finish", "c", "undo(True)", "Complete", "Complete an interrupted action"),
)

THROUGH_PANELS = (
    *(replace(key, action=f"app.{key.action}", label="", help="", system=True) for key in (*VIEW_KEYS, *ALWAYS)),
    Key("view.copy", "y", "app.below('copy')", "", "", system=True),
    Key("view.copy_row", "Y", "app.below('copy_row')", "", "", system=True),
)
"""Bindings of the app that also work over a panel, which hides them as a modal screen."""

PANEL = (
    Key("panel.close", "escape,q,enter", "close", "Close", "Close the panel"),
    *THROUGH_PANELS,
)

COMMON = ""
"""The scope of bindings that work on every screen."""

PANELS = "Panel"
"""The scope of panels, which hide the bindings of the screen below."""

SCOPES = (
    (COMMON, APP),
    (COMMON, NODE_SCREEN),
    (COMMON, TABLE),
    ("IpvsScreen", IPVS),
    ("EventsScreen", EVENTS),
    ("JournalScreen", JOURNAL),
    (PANELS, PANEL),
)
"""Every binding that can be configured, by the screen that it works on."""
