"""Starts the terminal UI: what Textual reads from the environment is set before it is imported."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.config import Theme
from kvtui.model.settings import Clipboard

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from kvtui.model.settings import UiSettings
    from kvtui.observer import Observer

FEW_COLOURS = frozenset({"", "linux", "xterm", "screen", "vt100", "vt220", "ansi"})
"""TERMs for which Textual finds 16 colours: they get the terminal's own palette (measured, textual-and-netlink.md)."""

NO_UNICODE = frozenset({"linux", "vt100", "vt220", "ansi"})
"""TERMs whose fonts lack marks, bars and branches: the Linux console shows diamonds instead."""


def only_ascii(env: MutableMapping[str, str], encoding: str) -> bool:
    """Whether this terminal can show ASCII only, said or not: an old terminal, or an encoding that is not UTF-8."""
    return env.get("TERM", "") in NO_UNICODE or encoding.lower().replace("-", "") != "utf8"


def clipboard(env: MutableMapping[str, str]) -> Clipboard:
    """How OSC 52 gets through to a clipboard."""
    if env.get("TERM", "") in NO_UNICODE:
        return Clipboard.NONE
    if env.get("TMUX"):
        return Clipboard.TMUX
    return Clipboard.SCREEN if env.get("STY") else Clipboard.PLAIN


def few_colours(env: MutableMapping[str, str]) -> bool:
    """Whether this terminal has its own 16 colours only."""
    return env.get("TERM", "") in FEW_COLOURS and not env.get("COLORTERM")


def prepare(env: MutableMapping[str, str], wanted: Theme = Theme.AUTO) -> Theme:
    """Set what keeps the line quiet, and choose the colours; what the person set already stays.

    NO_COLOR is taken out of the environment: Textual would turn colours into greys by it, and black into black where
    the theme is an ANSI one. kvtui's own mono has no colours at all. A theme that was asked for by name counts more
    (no-color.org: "command-line arguments and configuration override").

    Args:
        env: the environment.
        wanted: theme from option, variable or configuration.

    Returns:
        The theme to use, never AUTO.
    """
    env.setdefault("TEXTUAL_ANIMATIONS", "none")
    env.setdefault(
        "TEXTUAL_FPS", "60"
    )  # a change waits up to one frame; nothing is animated, so more frames cost nothing
    no_color = bool(env.pop("NO_COLOR", ""))
    if wanted is not Theme.AUTO:
        return wanted
    if no_color:
        return Theme.MONO
    return Theme.ANSI16 if few_colours(env) else Theme.DARK


def calm_collector() -> None:
    """Let Python look for cycles in young objects only, nearly always.

    Looking through 10,000 real servers takes 150 ms, in which no key is answered; they make no cycles, and go away by
    themselves. What is loaded now stays, and is left out for good. The middle generation is kept small: with that of 20
    young ones a key waited 50 ms for it.
    """
    gc.freeze()
    gc.set_threshold(10_000, 5, 400)


def run(observer: Observer, settings: UiSettings) -> None:
    """Run the terminal UI until the person leaves it.

    Args:
        observer: gives observations; closed in the end.
        settings: how to draw.

    Raises:
        LookupError: ``--pid`` names no keepalived.
        SystemExit: a signal ended it.
    """
    settings = replace(settings, theme=prepare(os.environ, settings.theme), clipboard=clipboard(os.environ))
    from kvtui.app import KvtuiApp  # noqa: PLC0415 - after prepare, and only where the UI is wanted

    if not settings.ascii and only_ascii(os.environ, sys.__stdout__.encoding if sys.__stdout__ else "utf-8"):
        settings = replace(settings, ascii=True)
    app = KvtuiApp(observer, settings)
    calm_collector()
    app.run(mouse=settings.mouse)
    if app.ended_by is not None:
        raise app.ended_by
    if app.return_code:
        raise SystemExit(app.return_code)
