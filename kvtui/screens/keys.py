"""The keys that work on every screen."""

from __future__ import annotations

from textual.binding import Binding

from kvtui.actions.registry import ACTIONS

VIEWS = (
    Binding("1", "view('vips')", "VIPs", id="view.vips", tooltip="VIPs: who owns each, and why"),
    Binding("2", "view('vrrp')", "VRRP", id="view.vrrp", tooltip="VRRP: instances and peers"),
    Binding("3", "view('ipvs')", "IPVS", id="view.ipvs", tooltip="IPVS: real servers, traffic"),
    Binding("4", "view('mappings')", "Mappings", id="view.mappings", tooltip="ConfigMap entries and chains"),
    Binding("5", "view('findings')", "Findings", id="view.findings", tooltip="What is wrong, worst first"),
    Binding("7", "view('journal')", "Journal", id="view.journal", tooltip="What was done here; the log"),
)
ACTING = tuple(
    Binding(a.key, f"act('{a.kind}')", a.label, id=f"act.{a.kind}", tooltip=a.tooltip) for a in ACTIONS if a.key
)
ALWAYS = (
    Binding("i", "sources", "Sources", id="app.sources", tooltip="What could (not) be read"),
    Binding("space", "pause", "Pause", id="app.pause", tooltip="Stand still, then go on"),
    Binding("question_mark", "keys", "Keys", id="app.keys", tooltip="These keys"),
)
EVERYWHERE = (
    *VIEWS,
    *ACTING,
    *ALWAYS,
    Binding("colon", "command_palette", "Commands", id="app.commands", tooltip="Find a command by its name"),
    Binding("ctrl+p", "command_palette", system=True),  # which Textual has only where no other key does it
    Binding("q", "quit", "Quit", id="app.quit", tooltip="Leave kvtui"),
)
"""The app's own bindings."""

THROUGH_PANELS = (
    *(Binding(b.key, f"app.{b.action}", id=b.id, system=True) for b in (*VIEWS, *ALWAYS)),
    Binding("y", "app.below('copy')", id="view.copy", system=True),
    Binding("Y", "app.below('copy_row')", id="view.copy_row", system=True),
)
"""A modal screen hides the app's own keys; these go on working, and are listed where they belong."""
