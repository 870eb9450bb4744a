"""The keys of the terminal UI as data: bindings, help, the manual page and ``kvtui config`` are made of it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.registry import ACTIONS


class Key(Struct, frozen=True):
    """One thing that keys do.

    Attributes:
        id: its name in the configuration.
        keys: default keys by Textual's names, separated by commas.
        action: Textual's action.
        label: name in the palette.
        help: one line in the help; empty when it is described elsewhere.
        show: whether it is one of the main keys.
        priority: handled before the focused widget.
        system: not listed, since another key of the same id is.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    show: bool = True
    priority: bool = False
    system: bool = False


VIEWS = (
    Key("view.vips", "1", "view('vips')", "VIPs", "VIPs: who owns each, and why"),
    Key("view.vrrp", "2", "view('vrrp')", "VRRP", "VRRP: instances and peers"),
    Key("view.ipvs", "3", "view('ipvs')", "IPVS", "IPVS: real servers, traffic"),
    Key("view.mappings", "4", "view('mappings')", "Mappings", "ConfigMap entries and chains"),
    Key("view.findings", "5", "view('findings')", "Findings", "What is wrong, worst first"),
    Key("view.journal", "7", "view('journal')", "Journal", "What was done here; the log"),
)
ACTING = tuple(Key(f"act.{a.kind}", a.key, f"act('{a.kind}')", a.label, a.tooltip) for a in ACTIONS if a.key)
ALWAYS = (
    Key("app.sources", "i", "sources", "Sources", "What could (not) be read"),
    Key("app.pause", "space", "pause", "Pause", "Stand still, then go on"),
    Key("app.keys", "question_mark", "keys", "Keys", "These keys"),
)
APP = (
    *VIEWS,
    *ACTING,
    *ALWAYS,
    Key("app.commands", "colon", "command_palette", "Commands", "Find a command by its name"),
    Key("app.quit", "q", "quit", "Quit", "Leave kvtui"),
)
"""The app's own."""

NODE_SCREEN = (
    # priority: what is typed ahead of a slow line belongs to the filter; else the d of "/dns" would drain
    Key("view.filter", "slash", "filter", "Filter", "Show rows with a text", priority=True),
    Key("view.trace", "t", "trace", "Trace", "The chain of this VIP"),
    Key("view.sort", "s", "sort(1)", "Sort", "Sort by the next column"),
    Key("view.reverse", "S", "reverse", "Reverse", "Sort the other way round"),
    Key("view.copy", "y", "copy", "Copy", "Copy its command"),
    Key("view.copy_row", "Y", "copy_row", "Copy row", "Copy the row"),
    Key("view.clear", "escape", "clear", "Clear", "Show every row again", show=False),
)
"""Those of every screen."""

TABLE = (
    Key("table.up", "up,k", "move(-1)", "Up", "One row up", show=False),
    Key("table.down", "down,j", "move(1)", "Down", "One row down", show=False),
    Key("table.page_up", "pageup", "page(-1)", "Page up", "A page up", show=False),
    Key("table.page_down", "pagedown", "page(1)", "Page down", "A page down", show=False),
    Key("table.first", "home,g", "edge(-1)", "First", "The first row", show=False),
    Key("table.last", "end,G", "edge(1)", "Last", "The last row", show=False),
    Key("table.detail", "enter", "choose", "Detail", "Detail of this row", show=False),
)
IPVS = (
    Key("ipvs.fold", "left", "fold(True)", "Fold", "Hide its real servers", show=False),
    Key("ipvs.unfold", "right", "fold(False)", "Unfold", "Show its real servers", show=False),
    Key("ipvs.fold_all", "minus", "fold_all(True)", "Fold all", "Only virtual servers", show=False),
    Key("ipvs.unfold_all", "plus", "fold_all(False)", "Unfold all", "Every real server", show=False),
)
JOURNAL = (
    Key("journal.undo", "u", "undo", "Undo", "Undo the selected action"),
    Key("journal.finish", "c", "finish", "Complete", "Complete an interrupted action"),
    Key("journal.other", "tab", "other", "Log", "From the journal to the log, and back"),
)

THROUGH_PANELS = (
    *(replace(key, action=f"app.{key.action}", label="", help="", system=True) for key in (*VIEWS, *ALWAYS)),
    Key("view.copy", "y", "app.below('copy')", "", "", system=True),
    Key("view.copy_row", "Y", "app.below('copy_row')", "", "", system=True),
)
"""A modal screen hides the app's own keys; these work through it, and are listed where they belong."""

PANEL = (
    Key("panel.close", "escape,q,enter", "close", "Close", "Back to the screen"),
    *THROUGH_PANELS,
)

COMMON = ""
"""The scope of what works on every screen."""

PANELS = "Panel"
"""The scope of panels, which hide the screen below them."""

SCOPES = (
    (COMMON, APP),
    (COMMON, NODE_SCREEN),
    (COMMON, TABLE),
    ("IpvsScreen", IPVS),
    ("JournalScreen", JOURNAL),
    (PANELS, PANEL),
)
"""Every key that has a name in the configuration, and the screen that it works on."""
