"""kvtui's themes. Text has a contrast of at least 4.5:1, in high-contrast 7:1 (WCAG 1.4.3, 1.4.6).

``tests/ui/test_contrast.py`` measures every screen in every theme. Colour is never the only signal: a mark or word says
the same, as the theme mono shows.
"""

from __future__ import annotations

from textual.theme import Theme

from kvtui.model.config import Theme as Name


def _theme(
    name: Name,
    *,
    dark: bool,
    background: str,
    surface: str,
    panel: str,
    foreground: str,
    muted: str,
    primary: str,
    success: str,
    warning: str,
    error: str,
    selected: str,
) -> Theme:
    """Returns a theme of true colours. Coloured text has exactly these colours: tints of them are not tested."""
    texts = {"primary": primary, "secondary": primary, "accent": primary}
    texts |= {"success": success, "warning": warning, "error": error}
    return Theme(
        name=name.value,
        dark=dark,
        background=background,
        surface=surface,
        panel=panel,
        foreground=foreground,
        primary=primary,
        secondary=primary,
        accent=primary,
        success=success,
        warning=warning,
        error=error,
        boost=surface,
        variables={
            **{f"text-{role}": colour for role, colour in texts.items()},
            "text": foreground,
            "text-muted": muted,
            "text-disabled": muted,
            "foreground-muted": muted,
            "border": primary,
            "border-blurred": muted,
            "block-cursor-foreground": background,
            "block-cursor-background": selected,
            "block-cursor-blurred-foreground": foreground,
            "block-cursor-blurred-background": panel,
            "block-hover-background": panel,
            "input-cursor-foreground": background,
            "input-cursor-background": foreground,
            "input-selection-foreground": background,
            "input-selection-background": selected,
            "screen-selection-foreground": background,
            "screen-selection-background": selected,
            "scrollbar": muted,
            "scrollbar-hover": primary,
            "scrollbar-active": primary,
            "scrollbar-background": panel,
            "scrollbar-background-hover": panel,
            "scrollbar-background-active": panel,
            "scrollbar-corner-color": panel,
            "link-color": primary,
            "footer-key-foreground": primary,
        },
    )


# Only colours of xterm's 256, so that a terminal without true colours shows the same
DARK = _theme(
    Name.DARK,
    dark=True,
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    foreground="#e4e4e4",
    muted="#b2b2b2",
    primary="#5fafff",
    success="#87d787",
    warning="#ffaf5f",
    error="#ff8787",
    selected="#5fafff",
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
    success="#005f00",
    warning="#5f5f00",
    error="#af0000",
    selected="#005faf",
)
CONTRAST = _theme(
    Name.CONTRAST,
    dark=True,
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    foreground="#ffffff",
    muted="#dadada",
    primary="#5fd7ff",
    success="#87ff87",
    warning="#ffd75f",
    error="#ffafaf",
    selected="#ffffff",
)

_OWN = "ansi_default"
_ANSI_VARIABLES = {
    "ansi-background": _OWN,
    "ansi-foreground": _OWN,
    "text-muted": _OWN,  # the ansi default of Textual is a half-tone, which 16 colours do not have
    "text-disabled": _OWN,
    "foreground-muted": _OWN,
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "block-cursor-blurred-foreground": _OWN,
    "block-cursor-blurred-background": _OWN,
    "input-cursor-text-style": "reverse",
    "border-blurred": _OWN,
}

ANSI16 = Theme(
    name=Name.ANSI16.value,
    ansi=True,
    dark=True,
    primary="ansi_bright_cyan",
    secondary="ansi_bright_cyan",
    accent="ansi_bright_cyan",
    success="ansi_bright_green",
    warning="ansi_bright_yellow",
    error="ansi_bright_red",
    foreground=_OWN,
    background=_OWN,
    surface=_OWN,
    panel=_OWN,
    boost=_OWN,
    variables={**_ANSI_VARIABLES, "border": "ansi_bright_cyan", "scrollbar": "ansi_white"},
)
"""The terminal's own bright colours: normal red and blue are hard to read on black."""

MONO = Theme(
    name=Name.MONO.value,
    ansi=True,
    dark=True,
    primary=_OWN,
    secondary=_OWN,
    accent=_OWN,
    success=_OWN,
    warning=_OWN,
    error=_OWN,
    foreground=_OWN,
    background=_OWN,
    surface=_OWN,
    panel=_OWN,
    boost=_OWN,
    variables={
        **_ANSI_VARIABLES,
        "border": _OWN,
        "block-cursor-foreground": _OWN,
        "block-cursor-background": _OWN,
        "block-cursor-text-style": "reverse",
        "input-selection-background": _OWN,
        "screen-selection-background": _OWN,
        "screen-selection-foreground": _OWN,
    },
)
"""No colours (NO_COLOR): only bold, reverse and underlined."""

THEMES = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST, ANSI16, MONO)}
