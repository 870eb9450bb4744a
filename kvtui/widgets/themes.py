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
    name: Name, *, selected: str, cursor: str, muted: str, frame: str, demo: str, dark: bool = True, **colours: Any
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
DARK = _theme(
    Name.DARK,
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    foreground="#e4e4e4",
    muted="#b2b2b2",
    primary="#5fafff",
    success="#5fd7af",
    warning="#ffd75f",
    error="#ff8787",
    demo="#d787ff",
    frame="#585858",
    selected="#5fafff",
    cursor="#303030",
)
LIGHT = _theme(
    Name.LIGHT,
    dark=False,
    background="#ffffff",
    surface="#eeeeee",
    panel="#dadada",
    foreground="#1c1c1c",
    muted="#4e4e4e",
    primary="#005faf",
    success="#005f5f",
    warning="#5f5f00",
    error="#af005f",
    demo="#5f00af",
    frame="#9e9e9e",
    selected="#005faf",
    cursor="#d7d7ff",
)
CONTRAST = _theme(
    Name.CONTRAST,
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    foreground="#ffffff",
    muted="#dadada",
    primary="#5fd7ff",
    success="#5fffd7",
    warning="#ffd75f",
    error="#ffafaf",
    demo="#ffafff",
    frame="#bcbcbc",
    selected="#ffffff",
    cursor="#303030",
)

_OWN = "ansi_default"


def _ansi(name: Name, *, primary: str, success: str, warning: str, error: str, **variables: str) -> Theme:
    """Returns a theme of the terminal's own colours."""
    own: Any = dict.fromkeys(("foreground", "background", "surface", "panel", "boost"), _OWN)
    # text-muted: Textual's default for ANSI themes is a half-tone, which 16 colours do not have
    plain = ("ansi-background", "ansi-foreground", "text-muted", "text-disabled", "foreground-muted", "border-blurred")
    blurred = ("block-cursor-blurred-foreground", "block-cursor-blurred-background")
    return Theme(
        name=name.value,
        ansi=True,
        dark=True,
        primary=primary,
        secondary=primary,
        accent=primary,
        success=success,
        warning=warning,
        error=error,
        **own,
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
            **{key.replace("_", "-"): value for key, value in variables.items()},
        },
    )


ANSI16 = _ansi(
    Name.ANSI16,
    primary="ansi_bright_cyan",
    success="ansi_bright_green",
    warning="ansi_bright_yellow",
    error="ansi_bright_red",
    scrollbar="ansi_white",
)
"""The terminal's own bright colours: normal red and blue are hard to read on black."""

MONO = _ansi(
    Name.MONO,
    primary=_OWN,
    success=_OWN,
    warning=_OWN,
    error=_OWN,
    demo=_OWN,
    frame=_OWN,
    chip_text=_OWN,
    chip_style="reverse",
    cursor_style="reverse",
    block_cursor_foreground=_OWN,
    block_cursor_background=_OWN,
    block_cursor_text_style="reverse",
    input_selection_background=_OWN,
    screen_selection_background=_OWN,
    screen_selection_foreground=_OWN,
)
"""No colours (NO_COLOR): only bold, reverse and underlined."""

THEMES = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST, ANSI16, MONO)}
