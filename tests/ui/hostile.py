"""Observations in which every string from outside is the same hostile text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.cells import cell_len

from kvtui.model.ipvs import Protocol
from kvtui.model.kube import EndpointPort, Pod, Resource, ResourceState, ServicePort
from kvtui.model.observation import ManagedBy, Peer, RealServerState
from kvtui.model.snapshot import Node
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import AddressFamily, Transition
from kvtui.rules.observe import observe
from tests.kit import NOW, VIP, snapshot
from tests.kit import kube as build_kube
from tests.kit.kube import NGINX, configmap, endpoint, group, kube, resources, service
from tests.kit.views import instance, make_observation, real, server, vip

if TYPE_CHECKING:
    from kvtui.model.observation import Observation, VirtualServerView

HOSTILE = {
    "markup": "[bold red]x[/] [@click=app.quit]x[/] [/nothing] [x",
    "control": "\x1b[2J\x1b[H \x1b]0;x\x07 \x9b2J x\ty\nz\r\u2028\u2029\x85 \x00\x08\x7f \u202e\u2066 \udcff",
    "wide": "日本語" * 20 + "e\u0301\u0301",
    "long": "x" * 5000,
    "marks": "\u0301" * 9 + "e" + "\u0301" * 50 + "\u1112" + "\u1161" * 50,
}


def world(text: str) -> Observation:
    """Returns an observation in which every string from outside is ``text``."""
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
    peer = Peer(text, 1, seen=True, age_seconds=1.0)
    return make_observation(instances=(replace(own, peers=(peer,)),), vips=(mine,), servers=(virtual,), of=base)


def cluster(text: str) -> Observation:
    """Returns a node that serves the VIP; every string that the Kubernetes API returns is ``text``."""
    pod = replace(endpoint(5), pod=(text, text), node=text)
    degraded = resources(services=ResourceState(Resource.SERVICES, SourceState.DEGRADED, text, NOW - 99))
    mapped = kube(
        configmap=configmap(
            {VIP: "default/nginx", text: text, f"{text}2": f"{text}/{text}"}, namespace=text, name=text
        ),
        configmap_name=(text, text),
        services={NGINX: service("nginx", ServicePort(text, 80, text))},
        endpoints={NGINX: (group(pod, replace(pod, ready=False), ports=(EndpointPort(text, 8080),)),)},
        pods={(text, text): Pod(text, text, text, text, ready=False, phase=text, reason=text)},
        resources=degraded,
    )
    return observe(build_kube.snapshot(kube=mapped))


def most_marks(line: str) -> int:
    """Returns the length of the longest run of zero-width characters."""
    highest = now = 0
    for character in line:
        now = now + 1 if character > "\x7f" and cell_len(character) == 0 else 0
        highest = max(highest, now)
    return highest
