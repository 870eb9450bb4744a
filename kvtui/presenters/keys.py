"""All screens and keys of the terminal UI: the source of tabs, bindings, help, man page and ``kvtui config``."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.registry import ACTIONS


class View(Struct, frozen=True):
    """A screen; ``short`` is its label on a narrow terminal, ``screen`` its module in ``kvtui.screens`` and class."""

    name: str
    key: str
    label: str
    help: str
    screen: tuple[str, str]
    short: str = ""


VIEWS = (
    View("vips", "1", "VIPs", "VIPs, their owners and chains", ("vips", "VipsScreen")),
    View("vrrp", "2", "VRRP", "VRRP instances and peers", ("vrrp", "VrrpScreen")),
    View("ipvs", "3", "IPVS", "IPVS servers and traffic", ("ipvs", "IpvsScreen")),
    View("mappings", "4", "Mappings", "ConfigMap entries and chains", ("mappings", "MappingsScreen"), "Maps"),
    View("findings", "5", "Findings", "Problems, worst first", ("findings", "FindingsScreen")),
    View("cluster", "6", "Cluster", "All nodes (kvtui --hosts)", ("cluster", "ClusterScreen")),
    View("events", "7", "Events", "Events, with the log", ("events", "EventsScreen")),
    View("journal", "8", "Journal", "Past actions, and undo", ("journal", "JournalScreen")),
)


class Key(Struct, frozen=True):
    id: str  # name in the configuration
    keys: str
    action: str
    label: str
    help: str  # one line in the help; empty if another binding with this id has it
    show: bool = True  # whether it is one of the main keys
    priority: bool = False  # handled before the focused widget
    system: bool = False  # not listed, since another binding with this id is


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
PANEL = (
    Key("panel.close", "escape,q,enter", "close", "Close", "Close the panel"),
    # bindings of the app, which a panel hides as a modal screen
    *(replace(key, action=f"app.{key.action}", label="", help="", system=True) for key in (*VIEW_KEYS, *ALWAYS)),
    Key("view.copy", "y", "app.below('copy')", "", "", system=True),
    Key("view.copy_row", "Y", "app.below('copy_row')", "", "", system=True),
)

COMMON = ""  # the scope of bindings that work on every screen
PANELS = "Panel"  # the scope of panels, which hide the bindings of the screen below
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
