"""Copies to the terminal's clipboard by OSC 52 (xterm's ctlseqs), which works over SSH and kubectl exec."""

from __future__ import annotations

from base64 import b64encode

from kvtui.model.settings import Clipboard

MAX_CHUNK_BYTES = 700
"""Longest string to send through screen, whose limit is 768 (MAXSTR)."""


def sequence(text: str, clipboard: Clipboard) -> str:
    """Returns the sequence that copies the text; empty where there is no clipboard.

    tmux handles the bare sequence with ``set-clipboard on``, and forwards a wrapped one with ``allow-passthrough on``
    (before 3.3 always); it gets both. screen only forwards wrapped ones, in chunks.
    """
    bare = f"\x1b]52;c;{b64encode(text.encode()).decode()}\a"
    if clipboard is Clipboard.NONE:
        return ""
    if clipboard is Clipboard.TMUX:
        return bare + "\x1bPtmux;" + bare.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if clipboard is Clipboard.SCREEN:
        return "".join(f"\x1bP{bare[i : i + MAX_CHUNK_BYTES]}\x1b\\" for i in range(0, len(bare), MAX_CHUNK_BYTES))
    return bare
