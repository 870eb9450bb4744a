"""Starts the terminal UI. Environment variables that Textual reads are set before it is imported."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.config import Theme
from kvtui.model.settings import Clipboard
from kvtui.presenters.glyphs import TERMS_WITHOUT_UNICODE, only_ascii

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from kvtui.model.settings import UiSettings
    from kvtui.observer import Observer

TERMS_WITH_16_COLOURS = frozenset({"", "linux", "xterm", "screen", "vt100", "vt220", "ansi"})
"""TERMs for which Textual detects 16 colours: they get the terminal's own palette."""


def clipboard(env: MutableMapping[str, str]) -> Clipboard:
    if env.get("TERM", "") in TERMS_WITHOUT_UNICODE:
        return Clipboard.NONE
    if env.get("TMUX"):
        return Clipboard.TMUX
    return Clipboard.SCREEN if env.get("STY") else Clipboard.PLAIN


def prepare(env: MutableMapping[str, str], wanted: Theme = Theme.AUTO) -> Theme:
    """Sets Textual's environment variables unless the user did, and chooses the theme.

    Removes NO_COLOR from the environment: Textual would turn colours into greys, and ANSI themes into black on black.
    kvtui's theme "mono" has no colours. A theme that the user names wins over NO_COLOR (no-color.org: "command-line
    arguments and configuration override").
    """
    env.setdefault("TEXTUAL_ANIMATIONS", "none")
    env.setdefault("TEXTUAL_FPS", "60")  # a change waits up to one frame; more frames cost nothing without animations
    no_color = bool(env.pop("NO_COLOR", ""))
    if wanted is not Theme.AUTO:
        return wanted
    if no_color:
        return Theme.MONO
    has_16_colours = env.get("TERM", "") in TERMS_WITH_16_COLOURS and not env.get("COLORTERM")
    return Theme.ANSI16 if has_16_colours else Theme.DARK


def tune_garbage_collector() -> None:
    """Makes full garbage collections rare, and excludes the objects that exist now.

    In a full collection no key is handled, and observations have no reference cycles: ``KvtuiApp`` asks for one when
    screens were closed. The second generation is kept small: at Python's default a key waited 50 ms for it.
    """
    gc.freeze()
    gc.set_threshold(10_000, 5, 400)


def run(observer: Observer, settings: UiSettings) -> None:
    """Runs the terminal UI until the user quits; raises ``KeepalivedNotFoundError``, or SystemExit after a signal."""
    settings = replace(settings, theme=prepare(os.environ, settings.theme), clipboard=clipboard(os.environ))
    from kvtui.app import KvtuiApp  # noqa: PLC0415 - after prepare, and only where the UI is wanted

    if not settings.ascii and only_ascii(os.environ, sys.__stdout__.encoding if sys.__stdout__ else "utf-8"):
        settings = replace(settings, ascii=True)
    app = KvtuiApp(observer, settings)
    tune_garbage_collector()
    app.run(mouse=settings.mouse)
    if app.ended_by is not None:
        raise app.ended_by
    if app.return_code:
        raise SystemExit(app.return_code)
