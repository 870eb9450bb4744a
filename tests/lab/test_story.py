"""The terminal UI shows how an edit of the ConfigMap takes effect, layer by layer, until the VIP answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.rules.chain import LAYERS
from tests.kube import objects
from tests.lab.inside import inside
from tests.lab.poll import poll
from tests.lab.story import client
from tests.lab.story.live import BEST, LiveLab
from tests.lab.story.world import CONFIGMAP
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator

VIP = "10.4.0.52"
GREEN = ("✓", "+")


@pytest.fixture(scope="module")
def lab() -> Iterator[LiveLab]:
    """Yields the lab of `make lab`."""
    with LiveLab(prefix="s-") as lab:
        lab.begin_traffic()
        yield lab


def green_layers(terminal: PseudoTerminal) -> list[str]:
    """Returns the layers with a green mark in the chain's panel, from the top."""
    names = [layer.words for layer in LAYERS]
    lines = [line.strip(" │┃|") for line in terminal.lines]
    return [name for name in names if any(line.startswith(tuple(f"{g} {name} " for g in GREEN)) for line in lines)]


def test_an_edit_of_the_configmap_turns_the_layers_green_until_the_vip_answers(lab: LiveLab) -> None:
    names = [layer.words for layer in LAYERS]
    seen: list[list[str]] = [[]]

    def arrived(count: int) -> bool:
        """Stores each change of the green layers: a layer must turn green only after those above it."""
        green = green_layers(terminal)
        if green != seen[-1]:
            seen.append(green)
        return len(green) >= count

    entries = {**CONFIGMAP, VIP: "default/web"}
    prefix = ["ip", "netns", "exec", lab.node(BEST).netns, "env", f"NODE_NAME={BEST}"]
    env = {"KUBECONFIG": str(lab.kubeconfig), "KVTUI_LAB": "1", "KVTUI_STATE_DIR": "/tmp/story"}
    with PseudoTerminal(prefix=prefix, env=env) as terminal:
        terminal.shows(" LAB ", "10.4.0.50", "10.4.0.51", "10.4.0.60", "MASTER")
        with inside(lab.network.client):
            client.put("configmaps", objects.configmap(entries))
        terminal.press("4")
        terminal.shows(VIP, "default/web")
        terminal.press("G")
        terminal.shows("default/web by NAT")  # the details of the last row
        terminal.press("t")
        terminal.until(lambda: arrived(1), "the ConfigMap's layer is green")
        with inside(lab.network.client):
            client.put("services", objects.service("web", selector={"app": "nginx"}))
        terminal.until(lambda: arrived(len(names)), f"all layers are green; so far {seen}")
    assert lab.wait_for_answer(VIP)
    poll(lambda: all(VIP in n.conf_path.read_text() for n in lab.nodes), 30, f"{VIP} in every keepalived.conf")
    for green in seen:
        assert green == names[: len(green)], seen
    assert len(seen) > 3, seen
