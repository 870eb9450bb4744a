"""The screens, in the order of their tabs. Tabs, number keys, help and the app read this list."""

from __future__ import annotations

from msgspec import Struct


class View(Struct, frozen=True):
    """A screen.

    Attributes:
        short: label of the tab where the terminal is narrow.
        screen: its module below ``kvtui.screens`` and its class.
    """

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
