"""kvtui's themes. Text has a contrast of at least 4.5:1, in high-contrast 7:1 (WCAG 1.4.3, 1.4.6).

``tests/ui/test_contrast.py`` measures every screen in every theme. Colour is never the only signal: a mark or word says
the same, as the theme mono shows. ``tests/ui/test_colour_blindness.py`` measures how they differ for people who do not
tell red from green.
"""

from __future__ import annotations

from typing import Any

from textual.theme import Theme

from kvtui.model.config import Theme as Name

SCROLLBAR_PARTS = ("background", "background-hover", "background-active", "corner-color")


def _theme(
    name: Name, *, selected: str, cursor: str, muted: str, frame: str, demo: str, dark: bool, **colours: Any
) -> Theme:
    """Returns a theme of true colours. Coloured text has exactly these colours: tints of them are not tested."""
    primary, background, foreground = colours["primary"], colours["background"], colours["foreground"]
    colours |= {"secondary": primary, "accent": primary}
    texts = ("primary", "secondary", "accent", "success", "warning", "error")
    return Theme(
        name=name.value,
        dark=dark,
        boost=colours["surface"],
        variables={
            **{f"text-{role}": colours[role] for role in texts},
            "text": foreground,
            "demo": demo,
            "frame": frame,
            "chip-text": background,
            "chip-style": "bold",
            "cursor-background": cursor,
            "cursor-style": "none",
            **dict.fromkeys(("text-muted", "text-disabled", "foreground-muted", "border-blurred", "scrollbar"), muted),
            **dict.fromkeys(("border", "scrollbar-hover", "scrollbar-active", "link-color"), primary),
            "footer-key-foreground": primary,
            "block-cursor-foreground": background,
            "block-cursor-background": selected,
            "block-cursor-blurred-foreground": foreground,
            "block-cursor-blurred-background": colours["panel"],
            "block-hover-background": colours["panel"],
            "input-cursor-foreground": background,
            "input-cursor-background": foreground,
            "input-selection-foreground": background,
            "input-selection-background": selected,
            "screen-selection-foreground": background,
            "screen-selection-background": selected,
            **{f"scrollbar-{part}": colours["panel"] for part in SCROLLBAR_PARTS},
        },
        **colours,
    )


# Only colours of xterm's 256, so that a terminal without true colours shows the same
_COLOURS = {  # dark, light, high-contrast
    "background": ("#121212", "#ffffff", "#000000"),
    "surface": ("#1c1c1c", "#eeeeee", "#000000"),
    "panel": ("#262626", "#dadada", "#1c1c1c"),
    "foreground": ("#e4e4e4", "#1c1c1c", "#ffffff"),
    "muted": ("#b2b2b2", "#4e4e4e", "#dadada"),
    "primary": ("#5fafff", "#005faf", "#5fd7ff"),
    "success": ("#5fd7af", "#005f5f", "#5fffd7"),
    "warning": ("#ffd75f", "#5f5f00", "#ffd75f"),
    "error": ("#ff8787", "#af005f", "#ffafaf"),
    "demo": ("#d787ff", "#5f00af", "#ffafff"),
    "frame": ("#585858", "#9e9e9e", "#bcbcbc"),
    "selected": ("#5fafff", "#005faf", "#ffffff"),
    "cursor": ("#303030", "#d7d7ff", "#303030"),
}
DARK, LIGHT, CONTRAST = (
    _theme(name, dark=name is not Name.LIGHT, **{role: colours[index] for role, colours in _COLOURS.items()})
    for index, name in enumerate((Name.DARK, Name.LIGHT, Name.CONTRAST))
)

_OWN = "ansi_default"


def _ansi(name: Name, *, primary: str, variables: dict[str, str], **colours: Any) -> Theme:
    # text-muted: Textual's default for ANSI themes is a half-tone, which 16 colours do not have
    plain = ("ansi-background", "ansi-foreground", "text-muted", "text-disabled", "foreground-muted", "border-blurred")
    blurred = ("block-cursor-blurred-foreground", "block-cursor-blurred-background")
    colours |= dict.fromkeys(("primary", "secondary", "accent"), primary)
    colours |= dict.fromkeys(("foreground", "background", "surface", "panel", "boost"), _OWN)
    return Theme(
        name=name.value,
        ansi=True,
        dark=True,
        **colours,
        variables={
            **dict.fromkeys((*plain, *blurred), _OWN),
            "demo": "ansi_bright_magenta",
            "frame": "ansi_white",
            "chip-text": "ansi_black",
            "chip-style": "bold",
            "cursor-background": _OWN,
            "cursor-style": "bold",
            "block-cursor-foreground": "ansi_black",
            "block-cursor-background": "ansi_white",
            "input-cursor-text-style": "reverse",
            "border": primary,
            **variables,
        },
    )


ANSI16 = _ansi(
    Name.ANSI16,
    primary="ansi_bright_cyan",
    success="ansi_bright_green",
    warning="ansi_bright_yellow",
    error="ansi_bright_red",
    variables={"scrollbar": "ansi_white"},
)
"""The terminal's own bright colours: normal red and blue are hard to read on black."""

_MONO_OWN = ("demo", "frame", "chip-text", "block-cursor-foreground", "block-cursor-background")
_MONO_SELECTION = ("input-selection-background", "screen-selection-background", "screen-selection-foreground")
MONO = _ansi(
    Name.MONO,
    **dict.fromkeys(("primary", "success", "warning", "error"), _OWN),
    variables={
        **dict.fromkeys((*_MONO_OWN, *_MONO_SELECTION), _OWN),
        **dict.fromkeys(("chip-style", "cursor-style", "block-cursor-text-style"), "reverse"),
    },
)
"""No colours (NO_COLOR): only bold, reverse and underlined."""

THEMES = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST, ANSI16, MONO)}
