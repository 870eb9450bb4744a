"""The terminal's clipboard, by OSC 52 (xterm's ctlseqs): it works over SSH and kubectl exec, where nothing else can."""

from __future__ import annotations

from base64 import b64encode

from kvtui.model.settings import Clipboard

CHUNK = 700
"""Bytes of a string that screen passes on: its own limit is 768 (MAXSTR)."""


def sequence(text: str, clipboard: Clipboard) -> str:
    """What to write to the terminal so that it copies the text; empty where there is no clipboard.

    tmux takes the bare sequence with ``set-clipboard on``, and passes a wrapped one on with ``allow-passthrough on``
    (before 3.3 always); it gets both. screen only passes wrapped ones on, in pieces.

    Args:
        text: what to copy.
        clipboard: of this terminal.
    """
    bare = f"\x1b]52;c;{b64encode(text.encode()).decode()}\a"
    if clipboard is Clipboard.NONE:
        return ""
    if clipboard is Clipboard.TMUX:
        return bare + "\x1bPtmux;" + bare.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if clipboard is Clipboard.SCREEN:
        return "".join(f"\x1bP{bare[i : i + CHUNK]}\x1b\\" for i in range(0, len(bare), CHUNK))
    return bare
