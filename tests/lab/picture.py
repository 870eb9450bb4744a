"""Takes the README's pictures as SVG: kvtui in a real pty on the lab's MASTER at 140×40, drawn by pyte.

    python -m tests.lab.kernel --timeout 180 --out docs -- python -m tests.lab.picture

(in the guest; --out copies the files in $LAB_OUT)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kube import objects
from tests.lab.inside import inside
from tests.lab.story import client
from tests.lab.story.live import BEST, LiveLab
from tests.lab.story.world import CONFIGMAP
from tests.ui.pseudo_terminal import PseudoTerminal
from tests.ui.terminal_picture import svg

if TYPE_CHECKING:
    from collections.abc import Sequence

NEXT_MASTER = "node-b"
"""The node with the second highest priority."""
FRAME_SECONDS = (1, 1, 2, 2, 2, 6)
"""Seconds to wait before each picture of a failover."""
EXTRA_ENTRIES = {"10.4.0.52": "default/nginx:DR", "10.4.0.53": "default/search"}
"""More entries of the ConfigMap: one that works, and one with a broken chain."""


def animated(frames: Sequence[str]) -> str:
    """Returns one picture that shows the frames in turn, two seconds each."""
    share = 100 / len(frames)
    style = f"@keyframes turn {{ 0% {{ visibility: visible }} {share:.2f}% {{ visibility: hidden }} }}"
    groups = [
        f'<g style="visibility: hidden; animation: turn {2 * len(frames)}s step-end infinite {2 * number}s">'
        f"{frame[frame.index('>', frame.index('<svg')) + 1 : frame.rindex('</svg>')]}</g>"
        for number, frame in enumerate(frames)
    ]
    head = frames[0][: frames[0].index(">", frames[0].index("<svg")) + 1]
    return f"{head}<style>{style}</style>{''.join(groups)}</svg>"


def kvtui_on(lab: LiveLab, name: str, size: tuple[int, int]) -> PseudoTerminal:
    """Starts kvtui on a node in a terminal with colours."""
    prefix = ["ip", "netns", "exec", lab.node(name).netns, "env", f"NODE_NAME={name}"]
    env = {"KUBECONFIG": str(lab.kubeconfig), "KVTUI_LAB": "1", "COLORTERM": "truecolor"}
    return PseudoTerminal(prefix=prefix, env=env, size=size)


def take_screens(lab: LiveLab, out: Path) -> None:
    """Takes screens 1 and 3."""
    with kvtui_on(lab, BEST, (140, 40)) as terminal:
        terminal.shows("10.4.0.50", "3/3", "MASTER")
        with inside(lab.network.client):
            client.put("services", objects.service("search"))  # no pod has its label
            client.put("configmaps", objects.configmap(CONFIGMAP | EXTRA_ENTRIES))
        terminal.shows("10.4.0.52")
        terminal.press("G")
        terminal.quiet(40)  # so that the charts have a history
        out.joinpath("kvtui.svg").write_text(svg(terminal.screen, f"kvtui on {BEST}: 1 VIPs"))
        terminal.press("3")
        terminal.shows("VIRTUAL / REAL SERVER", "3/3 up")
        terminal.quiet(3)
        out.joinpath("kvtui-ipvs.svg").write_text(svg(terminal.screen, f"kvtui on {BEST}: 3 IPVS"))


def take_failover(lab: LiveLab, out: Path) -> None:
    """Takes pictures on the next master while keepalived dies on the MASTER."""
    with kvtui_on(lab, NEXT_MASTER, (100, 24)) as terminal:
        terminal.shows("10.4.0.50", "3/3", "BACKUP")
        terminal.quiet(5)
        frames: list[str] = []
        for seconds in FRAME_SECONDS:
            if len(frames) == 1:
                lab.node(BEST).kill()
            terminal.quiet(seconds)
            frames.append(svg(terminal.screen, f"kvtui on {NEXT_MASTER}, while keepalived dies on {BEST}"))
        out.joinpath("failover.svg").write_text(animated(frames))


def main() -> None:
    """Starts the lab and its traffic, and takes the README's pictures."""
    if "LAB_DIR=" not in Path("/proc/cmdline").read_text():
        sys.exit("This changes the network of the machine that it runs on: only for the lab's guest, see above.")
    out = Path(os.environ["LAB_OUT"])
    with LiveLab() as lab:
        lab.begin_traffic()
        take_screens(lab, out)
        take_failover(lab, out)


if __name__ == "__main__":
    main()
