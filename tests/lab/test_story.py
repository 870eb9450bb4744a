"""The seed's story on a person's screen: an edit of the ConfigMap arrives, layer by layer, and the VIP answers."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.rules.chain import LAYERS
from tests.kube import objects
from tests.lab.inside import run_inside
from tests.lab.story.live import BEST, LiveLab
from tests.lab.story.world import CONFIGMAP
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator

VIP = "10.4.0.52"
GREEN = ("✓", "+")
SCRIPT = """
import json, sys
from tests.lab.story import client
for obj in json.load(sys.stdin):
    client.put({"ConfigMap": "configmaps", "Service": "services"}[obj["kind"]], obj)
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[LiveLab]:
    """The lab of `make lab`."""
    with LiveLab(prefix="s-") as lab:
        lab.begin_traffic()
        yield lab


def put(lab: LiveLab, *wanted: objects.Object) -> None:
    """As kubectl does, from the client."""
    done = run_inside(lab.network.client, [sys.executable, "-S", "-c", SCRIPT], text=json.dumps(wanted), check=False)
    assert done.returncode == 0, done.stderr


def green_layers(terminal: PseudoTerminal) -> list[str]:
    """The layers with a green mark in the panel of the chain, from above."""
    names = [layer.words for layer in LAYERS]
    lines = [line.strip(" │┃|") for line in terminal.lines]
    return [name for name in names if any(line.startswith(tuple(f"{g} {name} " for g in GREEN)) for line in lines)]


def test_an_edit_of_the_configmap_arrives_layer_by_layer_until_the_vip_answers(lab: LiveLab) -> None:
    names = [layer.words for layer in LAYERS]
    seen: list[list[str]] = [[]]

    def arrived(count: int) -> bool:
        """Notes each screen on the way: a layer is green only after those above it."""
        green = green_layers(terminal)
        if green != seen[-1]:
            seen.append(green)
        return len(green) >= count

    entries = {**CONFIGMAP, VIP: "default/web"}
    node = lab.node(BEST)
    prefix = ["ip", "netns", "exec", node.netns, "env", f"NODE_NAME={node.name}"]
    env = {"KUBECONFIG": str(lab.kubeconfig), "KVTUI_LAB": "1", "KVTUI_STATE_DIR": "/tmp/story"}
    with PseudoTerminal(prefix=prefix, env=env) as terminal:
        terminal.shows("10.4.0.50", "10.4.0.51", "10.4.0.60", "MASTER")
        put(lab, objects.configmap(entries))
        terminal.press("4")
        terminal.shows(VIP, "default/web")
        terminal.press("G")
        terminal.shows(f" {VIP}  default/web")  # the title of its details: the last row is chosen
        terminal.press("t")
        terminal.until(lambda: arrived(1), "the ConfigMap's layer is green")
        put(lab, objects.service("web", selector={"app": "nginx"}))
        terminal.until(lambda: arrived(len(names)), f"all layers are green; so far {seen}")
    assert lab.curl(VIP)
    for green in seen:
        assert green == names[: len(green)], seen
    assert len(seen) > 3, seen
