"""Takes the README's picture: kvtui's first screen in a real pty on node-a, as pyte draws it, as an SVG.

    python -m tests.lab.kernel --timeout 180 --out docs -- python -m tests.lab.picture

(inside the guest; --out copies what is in $LAB_OUT)
"""

from __future__ import annotations

import io
import os
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.lab.cluster import Cluster
from tests.lab.spec import ClusterSpec
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    import pyte

COLOURS = {"default": "default", "brown": "yellow"}  # pyte's names that rich has not


def drawn(screen: pyte.Screen) -> Text:
    """The emulator's screen as styled text, a span a run of one style."""
    text = Text()
    for y in range(screen.lines):
        line = [screen.buffer[y][x] for x in range(screen.columns)]
        for style, run in groupby(line, key=_style):
            text.append("".join(c.data or " " for c in run), style)
        text.append("\n")
    return text


def _style(character: pyte.screens.Char) -> Style:
    return Style(
        color=_colour(character.fg), bgcolor=_colour(character.bg), bold=character.bold, reverse=character.reverse
    )


def _colour(name: str) -> str:
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return COLOURS.get(name, re.sub("^bright", "bright_", name))


def svg(screen: pyte.Screen, title: str) -> str:
    """A picture that fetches nothing from anywhere."""
    console = Console(
        width=screen.columns, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(drawn(screen), end="", soft_wrap=True)
    picture = console.export_svg(title=title, theme=MONOKAI)
    return re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)


def main() -> None:
    """Boot the cluster, let traffic flow, take the picture."""
    if "LAB_DIR=" not in Path("/proc/cmdline").read_text():
        sys.exit("This changes the network of the machine that it runs on: only for the lab's guest, see above.")
    spec = ClusterSpec(priorities=(102, 101, 100), persistence=300, advert_int=1)
    with Cluster(spec) as cluster:
        netns = cluster.node("node-a").netns
        prefix = ["ip", "netns", "exec", netns, "env", "NODE_NAME=node-a"]
        with PseudoTerminal(prefix=prefix, size=(100, 24)) as terminal:
            terminal.shows("★10.4.0.3", "3/3", "•••••")
            terminal.quiet(20)  # a history for the sparklines
            terminal.press("3")
            terminal.shows("VIRTUAL / REAL SERVER", "3/3 up")
            terminal.quiet(3)
            Path(os.environ["LAB_OUT"], "kvtui-ipvs.svg").write_text(svg(terminal.screen, "kvtui on node-a: 3 IPVS"))
            terminal.press("1")
            terminal.shows("CHAIN")
            terminal.quiet(3)
            Path(os.environ["LAB_OUT"], "kvtui.svg").write_text(svg(terminal.screen, "kvtui on node-a"))


if __name__ == "__main__":
    main()
