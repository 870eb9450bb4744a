"""Every screen and panel in every theme: text is readable (WCAG 2.2, 1.4.3, 1.4.6), and colour alone shows nothing."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from rich.color import ColorType
from rich.color_triplet import ColorTriplet
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets._toast import Toast, ToastRack

from kvtui.app import KvtuiApp
from kvtui.backend.demo.source import Demo
from kvtui.model.config import Theme, TriageSettings
from kvtui.model.settings import UiSettings
from kvtui.observer import TriageRunner
from tests.kit.views import demo
from tests.ui.seen import Feed, Ui, strips

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rich.color import Color
    from rich.segment import Segment
    from rich.style import Style

XTERM = (
    *("000000", "cd0000", "00cd00", "cdcd00", "0000ee", "cd00cd", "00cdcd", "e5e5e5"),
    *("7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff"),
)
"""The 16 colours of xterm (XTerm-col.ad), by which ansi16 is checked; each terminal has its own."""

DRAWING = re.compile(r"[\s─-▟■-◿]*")
"""Frames, bars and blocks are not text; sparklines are next to their numbers."""

PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("1", ()), ("1", ("enter",)), ("1", ("t",)), ("1", ("slash", "1", "0")), ("1", ("question_mark",)), ("1", ("i",)),
    ("2", ()), ("2", ("enter",)), ("2", ("p",)), ("2", ("f",)), ("3", ()), ("3", ("enter",)), ("3", ("down", "d")),
    ("4", ()), ("4", ("enter",)), ("5", ()), ("5", ("enter",)), ("7", ()), ("8", ()), ("1", ("r",)), ("1", ("ctrl+p",)),
)  # fmt: skip
"""Screens, and what is opened on them."""
LATE = {"7": "Entering MASTER STATE"}
"""What a screen shows only after it was read: keepalived's log."""

SAME = 3
"""Equal paints in a row after which a change of the theme has reached each widget."""


@asynccontextmanager
async def painted_in(theme: Theme) -> AsyncIterator[Ui]:
    """Returns the demo at a moment with problems, with its findings."""
    observation = TriageRunner(TriageSettings(hold_factor=0.0)).run(demo(40.0))
    feed = Feed(observation)
    feed.source = Demo(clock=lambda: observation.snapshot.time)  # its log continues with the clock
    app = KvtuiApp(feed, UiSettings(theme=theme, source_label="replay"))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        ui = Ui(app, pilot, feed)
        for _ in range(200):
            await pilot.pause()
            if app.latest is not None:
                break
        yield ui


async def at(ui: Ui, place: tuple[str, tuple[str, ...]]) -> None:
    """Opens the place from any screen."""
    while len(ui.app.screen_stack) > 1:
        ui.app.pop_screen()
        await ui.pilot.pause()
    await ui.press("escape", place[0], *place[1])
    late = LATE.get(place[0], "") if not place[1] else ""
    for _ in range(1000):
        if boxes(ui) and late in ui.text:
            return
        await ui.pilot.pause()
    raise AssertionError(f"nothing was opened at {place}, or {late!r} did not come")


WALKS: dict[Theme, dict[tuple[str, tuple[str, ...]], list[Segment]]] = {}


async def walk(theme: Theme) -> dict[tuple[str, tuple[str, ...]], list[Segment]]:
    """Returns what each place shows, for all themes in one walk, because navigating takes most of the time."""
    if not WALKS:
        WALKS.update({t: {} for t in Theme if t is not Theme.AUTO})
        async with painted_in(theme) as ui:
            for place in PLACES:
                await at(ui, place)
                await _record_themes(ui, place)
            await at(ui, ("1", ()))
            for severity in ("information", "warning", "error"):
                ui.app.notify("A toast", title="With a title", severity=severity, timeout=600)
            await ui.pilot.pause()
            await _record_themes(ui, ("1", ("toasts",)))
    return WALKS[theme]


async def _record_themes(ui: Ui, place: tuple[str, tuple[str, ...]]) -> None:
    for theme, walked in WALKS.items():
        ui.app.theme = theme.value
        before: list[Segment] = []
        same = 0
        for _ in range(50):  # a busy machine paints late
            await ui.pilot.wait_for_scheduled_animations()
            walked[place] = list(segments(ui))
            same = same + 1 if walked[place] == before else 0
            if same == SAME:
                break
            before = walked[place]


def boxes(ui: Ui) -> list[Region]:
    """Returns the regions of the top screen's widgets, without toasts."""
    widgets = ui.app.screen.walk_children(Widget)
    return [w.region for w in widgets if w.region.area and not isinstance(w, ToastRack | Toast)]


def segments(ui: Ui) -> Iterator[Segment]:
    """Returns what goes to the terminal; of a panel without what it covers."""
    app, screen = ui.app, ui.app.screen
    box = Region.from_union(boxes(ui)) if len(app.screen_stack) > 1 else screen.region
    for y, strip in enumerate(strips(ui.app)):
        if not box.y <= y < box.bottom:
            continue
        line = strip.crop(box.x, box.right)
        for line_filter in app.get_line_filters():
            line = line.apply_filter(line_filter, screen.background_colors[1])
        yield from line


def colours(style: Style) -> tuple[ColorTriplet, ColorTriplet]:
    """Returns the foreground and background as they are displayed."""
    front, behind = rgb(style.color, "e5e5e5"), rgb(style.bgcolor, "000000")
    if style.reverse:
        front, behind = behind, front
    if style.dim:
        front = ColorTriplet(*((a + b) // 2 for a, b in zip(front, behind, strict=True)))
    return front, behind


def rgb(colour: Color | None, default: str) -> ColorTriplet:
    if colour is None or colour.type is ColorType.DEFAULT:
        text = default
    elif colour.type is ColorType.STANDARD:
        text = XTERM[colour.number or 0]
    else:
        return colour.get_truecolor()
    return ColorTriplet(*(int(text[i : i + 2], 16) for i in (0, 2, 4)))


def luminance(colour: ColorTriplet) -> float:
    """Returns the relative luminance (WCAG 2.2)."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(style: Style) -> float:
    dark, light = sorted(map(luminance, colours(style)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_in_the_standard() -> None:
    from rich.style import Style  # noqa: PLC0415

    assert contrast(Style.parse("#000000 on #ffffff")) == 21.0
    assert round(contrast(Style.parse("#767676 on #ffffff")), 2) == 4.54
    assert contrast(Style.parse("reverse #767676 on #ffffff")) == contrast(Style.parse("#767676 on #ffffff"))
    assert contrast(Style.parse("dim #767676 on #ffffff")) < 2.5


@pytest.mark.parametrize(
    ("theme", "min_ratio"), [(Theme.DARK, 4.5), (Theme.LIGHT, 4.5), (Theme.CONTRAST, 7.0), (Theme.ANSI16, 4.5)]
)
async def test_all_text_can_be_read(theme: Theme, min_ratio: float) -> None:
    poor: dict[str, float] = {}
    read = 0
    for place, found in (await walk(theme)).items():
        for segment in found:
            if segment.style is None or DRAWING.fullmatch(segment.text):
                continue
            read += len(segment.text)
            if (ratio := contrast(segment.style)) < min_ratio:
                poor[f"{place} {segment.text.strip()!r} {segment.style}"] = round(ratio, 2)
    assert poor == {}
    assert read > 10_000, read


async def test_mono_has_no_colour_and_shows_the_same_text() -> None:
    mono, dark = await walk(Theme.MONO), await walk(Theme.DARK)
    for place in PLACES:
        styles = [s.style for s in mono[place] if s.style]
        assert all(c is None or c.is_default for style in styles for c in (style.color, style.bgcolor)), place
        assert "".join(s.text for s in mono[place]) == "".join(s.text for s in dark[place])


async def test_the_palette_offers_kvtuis_themes_only_and_they_change_at_once() -> None:
    async with painted_in(Theme.DARK) as ui:
        assert sorted(ui.app.available_themes) == sorted(t.value for t in Theme if t is not Theme.AUTO)
        ui.app.theme = Theme.MONO.value
        await ui.pilot.pause()
        await at(ui, ("2", ()))
        assert all(s.style is None or s.style.color is None or s.style.color.is_default for s in segments(ui))
        ui.app.theme = Theme.LIGHT.value
        await ui.pilot.pause()
        await at(ui, ("1", ()))
        grounds = {s.style.bgcolor.get_truecolor().hex for s in segments(ui) if s.style and s.style.bgcolor}
        assert "#ffffff" in grounds
