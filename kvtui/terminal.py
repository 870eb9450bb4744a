"""Starts the terminal UI: what Textual reads from the environment is set before it is imported."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

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


def few_colours(env: MutableMapping[str, str]) -> bool:
    """Whether only the terminal's own 16 colours are to be used."""
    if env.get("NO_COLOR"):
        return True
    return env.get("TERM", "") in FEW_COLOURS and not env.get("COLORTERM")


def prepare(env: MutableMapping[str, str]) -> None:
    """Set what keeps the line quiet; what the person set already stays."""
    env.setdefault("TEXTUAL_ANIMATIONS", "none")
    env.setdefault("TEXTUAL_FPS", "20")
    if few_colours(env):
        env.setdefault("TEXTUAL_THEME", "ansi-dark")


def run(observer: Observer, settings: UiSettings) -> None:
    """Run the terminal UI until the person leaves it.

    Args:
        observer: gives observations; closed in the end.
        settings: how to draw.

    Raises:
        LookupError: ``--pid`` names no keepalived.
        SystemExit: a signal ended it.
    """
    prepare(os.environ)
    from kvtui.app import KvtuiApp  # noqa: PLC0415 - after prepare, and only where the UI is wanted

    if not settings.ascii and only_ascii(os.environ, sys.__stdout__.encoding if sys.__stdout__ else "utf-8"):
        settings = replace(settings, ascii=True)
    app = KvtuiApp(observer, settings, ansi=few_colours(os.environ))
    app.run(mouse=settings.mouse)
    if app.ended_by is not None:
        raise app.ended_by
    if app.return_code:
        raise SystemExit(app.return_code)
