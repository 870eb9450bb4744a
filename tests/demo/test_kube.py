"""The demo's Kubernetes API: all chains of its entries are always complete, except the two that serve nobody."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.demo.kube import TYPO, UNREADY
from kvtui.backend.demo.source import Demo, demo_snapshot
from kvtui.backend.demo.story import CYCLE
from kvtui.rules.chain import ChainIndex, Layer, Mark, chain_of, first_break
from kvtui.rules.observe import observe

EPOCH = 1_700_000_000.0


@given(st.floats(0, 3 * CYCLE))
@settings(max_examples=60, deadline=None)
def test_two_entries_serve_nobody_and_all_others_are_complete(t: float) -> None:
    index = ChainIndex(observe(demo_snapshot(t, EPOCH)))
    broken = {m.vip: first_break(chain_of(index, m.vip)) for m in index.seen.mappings or ()}
    assert {vip: link.layer for vip, link in broken.items() if link} == {
        TYPO: Layer.CONFIGMAP,
        UNREADY: Layer.ENDPOINTS,
    }
    assert len(broken) == 6


def test_an_entry_that_the_controller_skips_is_expected_in_no_layer_below() -> None:
    index = ChainIndex(observe(demo_snapshot(5.0, EPOCH)))
    for vip, whole in ((TYPO, 0), (UNREADY, 2)):
        marks = [link.mark for link in chain_of(index, vip)]
        assert marks == [*[Mark.OK] * whole, Mark.BROKEN, *[Mark.NONE] * (7 - whole)]


def test_every_real_server_of_a_mapped_vip_names_its_ready_pod() -> None:
    servers = observe(demo_snapshot(5.0, EPOCH)).virtual_servers or ()
    pods = {s.name: [r.pod.name if r.pod and r.pod.ready else None for r in s.real_servers] for s in servers}
    assert pods == {
        "10.4.0.50:80": ["nginx-6f7b8d-4kx9p", "nginx-6f7b8d-7hm2q", "nginx-6f7b8d-b8w5z"],
        "10.4.0.51:443": ["pay-6f7b8d-4kx9p", "pay-6f7b8d-7hm2q"],
        "10.4.0.52:53": ["dns-6f7b8d-4kx9p", "dns-6f7b8d-7hm2q"],
        "[fd00:10:4::50]:80": [None, None],
    }


async def test_a_connect_behaves_as_on_a_director() -> None:
    demo = Demo(clock=lambda: EPOCH)
    accepted = await demo.connect("10.4.0.50", 80, 3.0)
    assert (accepted.error, accepted.source) == (None, "10.4.0.50")
    assert (await demo.connect("fd00:10:4::50", 80, 3.0)).source == "10.4.0.5"  # held by another node
    assert (await demo.connect("10.4.0.51", 443, 3.0)).error == "no answer within 3 s"  # DR, and this node has the VIP
    assert (await demo.connect(UNREADY, 80, 3.0)).error == "no answer within 3 s"
