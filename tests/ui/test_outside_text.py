"""Text from outside is data on every screen: no markup, no escape sequence, no second line, no turned direction."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, cast

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual import events

from kvtui.model.ipvs import Connection, Protocol
from kvtui.model.kube import EndpointPort, Pod, Resource, ResourceState, ServicePort
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.model.snapshot import Node
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.vrrp import AddressFamily, Transition
from kvtui.rules.observe import observe
from tests import build_kube
from tests.build import NOW, VIP, snapshot
from tests.build_kube import NGINX, configmap, endpoint, group, kube, resources, service
from tests.ui.seen import Ui, instance, real, running, seen, server, vip

if TYPE_CHECKING:
    from kvtui.model.observation import Observation, Peer, VirtualServerView

HOSTILE = {
    "markup": "[bold red]x[/] [@click=app.quit]x[/] [/nothing] [x",
    "control": "\x1b[2J\x1b[H \x1b]0;x\x07 \x9b2J x\ty\nz\r\u2028\u2029\x85 \x00\x08\x7f \u202e\u2066 \udcff",
    "wide": "日本語" * 20 + "e\u0301\u0301",
    "long": "x" * 5000,
}


def world(text: str) -> Observation:
    """Every string from outside is ``text``."""
    name = f"{text}n"
    base = snapshot(
        node=Node(name, read_only=True),
        sources=tuple(Source(n, SourceState.DEGRADED, text, NOW) for n in SourceName),
        transitions=(Transition(NOW, 50, AddressFamily.V4, text),),
    )
    one = replace(real(text, 80), check=text, state=RealServerState.FAILED)
    virtual: VirtualServerView = replace(
        server(text, one),
        name=text,
        protocol=Protocol.TCP,
        scheduler=text,
        flags=(text,),
        service=text,
        managed_by=ManagedBy.UNKNOWN,
    )
    mine = replace(vip(text, owner=text, rivals=(text,), instance=text), interface=text)
    own = replace(instance(text, rivals=(text,), counters={f"{text}_err": 3}), interface=text)
    peer = cast("Peer", type("P", (), {"address": text, "priority": 1, "seen": True, "age_seconds": 1.0})())
    return seen(instances=(replace(own, peers=(peer,)),), vips=(mine,), servers=(virtual,), of=base)


def assert_harmless(ui: Ui, width: int = 80, height: int = 24) -> None:
    assert len(ui.lines) == height
    for line in ui.lines:
        assert [c for c in line if unicodedata.category(c)[0] == "C"] == []
        assert cell_len(line) == width, line
        assert [c for c in line if unicodedata.category(c) in {"Zl", "Zp"}] == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_on_every_screen_and_panel(text: str) -> None:
    async with running(world(text)) as ui:
        ui.feed.found = ((Connection("TCP", ("192.0.2.1", 9), (text, 80), ("10.2.0.1", 80), text, 5, text),), 1)
        assert_harmless(ui)
        for keys in (["enter"], ["escape", "2"], ["3"], ["enter"], ["escape", "down", "enter"], ["escape", "i"]):
            await ui.press(*keys)
            assert_harmless(ui)
        await ui.press("escape", "slash")
        ui.app.screen.query_one("#filter").post_message(events.Paste(text))
        await ui.pilot.pause()
        assert_harmless(ui)
        assert ui.app.is_running


def cluster(text: str) -> Observation:
    """Every string that the Kubernetes API gives is ``text``, on a node that serves the VIP."""
    pod = replace(endpoint(5), pod=(text, text), node=text)
    said = resources(services=ResourceState(Resource.SERVICES, SourceState.DEGRADED, text, NOW - 99))
    mapped = kube(
        configmap=configmap(
            {VIP: "default/nginx", text: text, f"{text}2": f"{text}/{text}"}, namespace=text, name=text
        ),
        configmap_name=(text, text),
        services={NGINX: service("nginx", ServicePort(text, 80, text))},
        endpoints={NGINX: (group(pod, replace(pod, ready=False), ports=(EndpointPort(text, 8080),)),)},
        pods={(text, text): Pod(text, text, text, text, ready=False, phase=text, reason=text)},
        resources=said,
    )
    return observe(build_kube.snapshot(kube=mapped))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_the_kubernetes_api_says(text: str) -> None:
    async with running(cluster(text)) as ui:
        for keys in (["enter"], ["escape", "4"], *[["down"], ["t"], ["escape"]] * 3, ["3", "down", "enter"], ["5"]):
            await ui.press(*keys)
            assert_harmless(ui)
        assert ui.app.is_running


async def test_markup_is_shown_as_it_is_written() -> None:
    text = "[bold red]x[/]"
    async with running(world(text), size=(200, 50)) as ui:
        for keys in ([], ["enter"], ["escape", "2"], ["3"], ["enter"], ["escape", "i"]):
            await ui.press(*keys)
            assert text in ui.text
        await ui.press("escape", "1", "enter")
        assert f"VIP {text}" in ui.text  # a title too


async def test_no_vips_for_a_hostile_reason() -> None:
    text = "x\x1b[31m\ny"
    bad = tuple(Source(n, SourceState.UNAVAILABLE, text) for n in SourceName)
    async with running(seen(of=snapshot(sources=bad, chosen=None))) as ui:
        for key in ("1", "2", "3"):
            await ui.press(key)
            assert_harmless(ui)
            assert plain("x\x1b[31m") in ui.text
