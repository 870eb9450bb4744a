"""The five incidents of docs/incidents.md: each as a snapshot, and its screen, drawn by the app itself.

python -m tests.docs.incidents      # writes the screens into docs/incidents.md, between its marks
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from kvtui.app import KvtuiApp
from kvtui.backend.demo.source import demo_snapshot
from kvtui.model.config import TriageSettings
from kvtui.model.settings import UiSettings
from kvtui.model.vrrp import VrrpState
from kvtui.observer import TriageRunner
from kvtui.rules.observe import observe
from tests.kit.views import EPOCH
from tests.ui.seen import Feed, painted
from tests.watched_loop import WatchedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.snapshot import Snapshot

PAGE = Path(__file__).parents[2] / "docs" / "incidents.md"
SIZE = (80, 24)


def healthy() -> Snapshot:
    """Returns the demo's node-c as master, without a problem on the node itself."""
    return demo_snapshot(5.0, EPOCH)


def split_brain() -> Snapshot:
    """node-b advertises VRID 50 too."""
    base = healthy()
    own = next(a for a in base.advertisers or () if a.last.outgoing)
    other = replace(own, last=replace(own.last, source="10.4.0.4", priority=101, outgoing=False))
    return replace(base, advertisers=(*(base.advertisers or ()), other))


def left_behind() -> Snapshot:
    """node-b is master; this node is a backup and still has the addresses."""
    base = split_brain()
    rest = tuple(a for a in base.advertisers or () if not a.last.outgoing)
    backup = tuple(replace(i, state=VrrpState.BACKUP) if i.name == "vips" else i for i in base.instances or ())
    return replace(base, advertisers=rest, instances=backup)


def not_reloaded() -> Snapshot:
    """A real server was added to the file."""
    base = healthy()
    assert base.conf is not None
    first, *others = base.conf.virtual_servers
    new = replace(first.real_servers[0], address="10.2.71.5")
    first = replace(first, real_servers=(*first.real_servers, new))
    return replace(base, conf=replace(base.conf, virtual_servers=(first, *others), digest="edited"))


def failed_check() -> Snapshot:
    """keepalived removed a real server from the kernel."""
    base = healthy()
    assert base.ipvs is not None
    first, *others = base.ipvs.virtual_servers
    first = replace(first, real_servers=first.real_servers[1:])
    return replace(base, ipvs=replace(base.ipvs, virtual_servers=(first, *others)))


class Incident(NamedTuple):
    """A snapshot, the keys that open its screen, the lines to keep, and the text that the complete screen has."""

    make: Callable[[], Snapshot]
    keys: tuple[str, ...]
    lines: Callable[[list[str]], list[str]]
    last: str = ""


def around(*marks: str) -> Callable[[list[str]], list[str]]:
    """Selects the header, the tabs, the head of the table, and the lines with one of these marks."""

    def chosen(lines: list[str]) -> list[str]:
        return [line for n, line in enumerate(lines) if n < 3 or any(mark in line for mark in marks)]

    return chosen


INCIDENTS = {
    "split-brain": Incident(split_brain, ("1",), around("10.4.0.50", "CM─", "First break", "VRRP owner")),
    "left-behind": Incident(left_behind, ("1",), around("10.4.0.5", "✗", "VRRP owner")),
    "no-endpoint": Incident(healthy, ("4", *["down"] * 4), around("10.4.0.54", "✗ ", "✓ ")),
    "not-reloaded": Incident(
        not_reloaded,
        ("5", "down", "down"),
        around("WARNING  /etc", "Remedy ", "Because ", " " * 10),
        "Rule     config-not-reloaded",
    ),
    "failed-check": Incident(failed_check, ("3",), around("TCP 10.4.0.50", "10.2.69.5", "10.2.70.5", "removed")),
}


async def capture(name: str) -> str:
    """Returns the lines of the screen that show an incident."""
    incident = INCIDENTS[name]
    seen = TriageRunner(TriageSettings(hold_factor=0.0)).run(observe(incident.make(), demo_snapshot(4.0, EPOCH).ipvs))
    app = KvtuiApp(Feed(seen), UiSettings())
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(200):
            await pilot.pause()
            if app.latest is seen:
                break
        await pilot.press(*incident.keys)
        for _ in range(200):
            await pilot.pause()
            if any(incident.last in line for line in painted(app)):
                break
        lines = [re.sub(r"\s*[▂-█]?\s*$", "", line) for line in painted(app)]  # the scrollbar is not text
    return "\n".join(re.sub(r"\d\d:\d\d$", "21:04", line) for line in incident.lines(lines)) + "\n"


def block(name: str) -> re.Pattern[str]:
    """Returns the pattern of the incident's block in the page."""
    return re.compile(rf"(?<=<!-- screen: {name} -->\n```text\n).*?(?=```\n)", re.DOTALL)


def main() -> None:
    """Writes all five."""
    text = PAGE.read_text()
    for name in INCIDENTS:
        with asyncio.Runner(loop_factory=WatchedLoop) as runner:
            screen = runner.run(capture(name))
        text = block(name).sub(lambda _m, screen=screen: screen, text, count=1)  # type: ignore[misc]
        print(f"{name}\n{screen}")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
