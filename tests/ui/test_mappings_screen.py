"""Screen 4 and the trace: entries with their chains, the VIP under the cursor of every screen, a connect on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.presenters.cells import line_text
from kvtui.presenters.glyphs import UNICODE
from kvtui.presenters.trace import TraceTarget, result_sentences, trace_lines
from kvtui.rules.chain import ChainIndex
from kvtui.rules.observe import observe
from kvtui.screens.key_panels import TracePanel
from kvtui.screens.mappings import MappingsScreen
from tests.kit import NOW, VIP, addresses, advertiser, instance, keepalived, real, table
from tests.kit import kube as build_kube
from tests.kit.kube import configmap, controller, kube, resources
from tests.kit.views import demo, make_observation, source
from tests.kit.views import snapshot as bare
from tests.ui.seen import running

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


def row(lines: list[str], start: str) -> list[str]:
    """Returns the words of the row that begins with ``start``."""
    return next(line[3:] for line in lines if line[3:].startswith(start)).split()


async def test_each_entry_has_its_state_its_servers_and_its_chain() -> None:
    async with running(demo()) as ui:
        await ui.press("4")

        assert isinstance(ui.app.screen, MappingsScreen)
        assert " CHAIN " in ui.lines[2]
        assert row(ui.lines, "10.4.0.50")[1:7] == ["default/nginx", "NAT", "ok", "3/3", "3/3", "••••••••"]
        assert row(ui.lines, "10.4.0.51")[1:7] == ["shop/pay", "DR", "ok", "2/2", "2/2", "••••••••"]
        assert row(ui.lines, "10.4.0.60")[1:7] == ["–", "–", "vip-only", "–", "–", "•••••"]
        assert row(ui.lines, "10.4.0.54")[1:8] == ["shop/search", "NAT", "ok", "0/1", "–", "••✗", "endpoints"]
        assert row(ui.lines, "10.4.0.53")[1:8] == ["shop/cart:nat", "–", "error", "–", "–", "✗", "ConfigMap"]
        assert not any(line.startswith("fd00") for line in ui.rows)


async def test_a_wide_terminal_shows_the_reason() -> None:
    async with running(demo(), size=(240, 50)) as ui:
        await ui.press("4")

        assert 'the controller skips its entry: unknown method "nat"' in ui.text
        assert "its only endpoint is not ready: search-5d9c7f" in ui.text
        await ui.press("end", "up")
        assert "CrashLoop" in ui.text


async def test_the_layers_of_the_selected_entry_are_below() -> None:
    async with running(demo()) as ui:
        await ui.press("4", "end")

        assert ' shop/cart:nat: unknown method "nat"' in ui.text
        assert " ✗ ConfigMap       the controller skips its entry" in ui.text
        await ui.press("up")
        assert " ✗ endpoints       port 80: its only endpoint is not ready" in ui.text


async def test_sorted_by_problems_the_break_nearest_to_the_configmap_comes_first() -> None:
    async with running(demo()) as ui:
        await ui.press("4", "s", "s", "s")

        assert [line.split()[0] for line in ui.rows[:3]] == ["10.4.0.53", "10.4.0.54", "10.4.0.60"]


async def test_the_filter_matches_the_service_and_the_problem() -> None:
    async with running(demo()) as ui:
        await ui.press("4", "slash", *"not ready")
        assert [line.split()[0] for line in ui.rows if line.startswith("10.4.")] == ["10.4.0.54"]
        await ui.press("escape", "slash", *"kube-system")
        assert [line.split()[0] for line in ui.rows if line.startswith("10.4.")] == ["10.4.0.52"]


async def test_without_an_api_the_entries_come_from_the_config_and_show_that() -> None:
    detail = "no kubeconfig and no service account"
    alone = build_kube.snapshot(kube=None, sources=(build_kube.source(SourceState.UNAVAILABLE, detail, None),))
    async with running(observe(alone)) as ui:
        await ui.press("4")

        assert row(ui.lines, VIP)[1:4] == ["default/nginx", "NAT", "ok"]
        assert f"? ConfigMap       no data from the API: {detail}" in ui.text
        assert "default/nginx by NAT (from keepalived.conf)" in ui.text


EMPTY = {
    "no entries": (
        observe(build_kube.snapshot(kube=kube(configmap=configmap({})))),
        "default/vip-configmap has no entries",
    ),
    "nothing read": (
        make_observation(of=bare(source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "no API here"))),
        "Mappings are unknown: no API here",
    ),
}


@pytest.mark.parametrize(("shown", "words"), EMPTY.values(), ids=EMPTY.keys())
async def test_an_empty_screen_shows_why(shown: Observation, words: str) -> None:
    async with running(shown) as ui:
        await ui.press("4")

        assert words in ui.text


PLACES = {
    "screen 1": (["1"], "VIP 10.4.0.50"),
    "screen 1, Enter": (["1", "enter"], "VIP 10.4.0.50"),
    "an instance": (["2"], "4 VIPs: 10.4.0.50, 10.4.0.51, 10.4.0.52, 10.4.0.60"),
    "a peer": (["2", "down"], "4 VIPs: 10.4.0.50, 10.4.0.51, 10.4.0.52, 10.4.0.60"),
    "a virtual server": (["3"], "VIP 10.4.0.50"),
    "a real server": (["3", "down"], "VIP 10.4.0.50"),
    "an entry": (["4", "end"], "VIP 10.4.0.53"),
    "an entry, Enter": (["4", "end", "enter"], "VIP 10.4.0.53"),
}


@pytest.mark.parametrize(("keys", "heading"), PLACES.values(), ids=PLACES.keys())
async def test_t_traces_the_vip_under_the_cursor(keys: list[str], heading: str) -> None:
    async with running(demo()) as ui:
        await ui.press(*keys, *(() if keys[-1] == "enter" else ("t",)))

        assert isinstance(ui.app.screen, TracePanel)
        assert f"─ {heading} ─" in ui.text


async def test_t_without_a_vip_shows_a_message() -> None:
    async with running(demo()) as ui:
        await ui.press("8", "t")
        await ui.pilot.pause()

        assert not isinstance(ui.app.screen, TracePanel)
        assert ui.toasts == ["No VIP is selected: select one on screen 1 or 4."]


def test_a_complete_node_is_not_reported_as_a_complete_chain() -> None:
    assert result_sentences((), of_node=False) == ["Every layer is ok."]
    assert result_sentences((), of_node=True) == ["Every layer of this node is ok; the cluster was not checked."]


async def test_a_trace_names_the_first_break_and_the_remedy_and_is_updated() -> None:
    async with running(demo()) as ui:
        await ui.press("4", "end", "enter")
        assert "First break: ConfigMap: the controller skips its entry" in ui.text
        assert "Next: kubectl -n default edit configmap vip-configmap  # correct the entry" in ui.text
        await ui.press("escape", "home", "down", "enter")
        assert "Every layer is ok." in ui.text
        assert "✓ address         on eth0; this node is MASTER" in ui.text
        await ui.see(demo(70.0))
        assert "✓ address         not on this node, which is BACKUP; 10.4.0.4 has it" in ui.text


async def test_a_connect_is_made_only_on_request() -> None:
    async with running(demo()) as ui:
        await ui.press("enter")
        assert "TCP connect" not in ui.text
        await ui.press("c")
        await ui.pilot.pause()
        assert "✓ TCP connect     accepted in 1 ms, from 10.4.0.50" in ui.text
        await ui.press("escape", "end", "up", "enter", "c")
        await ui.pilot.pause()
        assert "TCP connect" not in ui.text  # a bare address


async def test_real_servers_show_their_pods() -> None:
    async with running(demo(), size=(280, 50)) as ui:
        await ui.press("3")
        assert "nginx-6f7b8d-7hm2q on node-b" in next(line for line in ui.lines if "10.2.69.5:8080" in line)
        await ui.press("down", "enter")
        assert "nginx-6f7b8d-4kx9p on node-a" in ui.text
    async with running(demo()) as ui:
        await ui.press("3", "slash", *"nginx-6f7b8d-b8w5z")
        assert [line.split()[1] for line in ui.lines if "10.2." in line] == ["10.2.70.5:8080"]


def text_of(**changes: object) -> str:
    newer = (keepalived(controller=controller("--iface=eth0")),)
    shown = build_kube.snapshot(**{"keepalived": newer} | changes)
    lines = trace_lines(ChainIndex(observe(shown)), (TraceTarget(VIP),), UNICODE, {})
    return "\n".join(map(line_text, lines))


def test_old_data_is_marked_as_old() -> None:
    cut = {
        r.resource.name.lower(): replace(r, state=SourceState.DEGRADED, detail="cut", read_at=NOW - 125)
        for r in resources()
    }
    text = text_of(kube=kube(resources=resources(**cut)))
    assert "✓ Service         default/nginx 80/TCP to targetPort 8080 (may be outdated: cut)  [2m old]" in text
    assert " old]" not in text_of()


def test_a_pod_that_is_not_ready_is_marked_so() -> None:
    both = (build_kube.endpoint(5), build_kube.endpoint(6, ready=False))
    text = text_of(kube=kube(endpoints={build_kube.NGINX: (build_kube.group(*both),)}))
    assert "First break: config file: " in text
    assert "10.2.68.6:8080  up  weight 1" in text
    assert "nginx-6 on node-b NOT READY" in text


def test_a_real_server_that_was_removed_by_hand() -> None:
    text = text_of(ipvs=table(real(5)), instances=(instance(VrrpState.MASTER),), addresses=addresses(VIP),
                   advertisers=(advertiser(0, outgoing=True),))  # fmt: skip
    assert "✗ IPVS            10.4.0.50:80 1/2 real servers up: 10.2.68.6:8080 (pod default/nginx-6) is not in" in text
