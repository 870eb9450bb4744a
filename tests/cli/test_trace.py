"""``kvtui trace``: the VIP and ports, output, exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from msgspec.structs import replace

from kvtui.actions.drain.targets import UnknownTargetError
from kvtui.backend.demo import Demo
from kvtui.cli.invocation import Invocation
from kvtui.cli.output import Format
from kvtui.cli.trace import UnknownVipError, UnreadSourcesError, find_ports, trace
from kvtui.model.connect import Connect
from kvtui.model.ipvs import Protocol
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason
from kvtui.presenters.cells import line_text
from kvtui.presenters.glyphs import UNICODE
from kvtui.presenters.schema import schema
from kvtui.presenters.trace import chain_cell, chain_line
from kvtui.rules.chain import NO_API_REMEDY, ChainIndex, ChainLink, Layer, Mark, Port
from kvtui.rules.observe import observe
from tests import kit
from tests.kit import NOW, VIP, conf, conf_real, keepalived, real, table
from tests.kit import kube as build_kube
from tests.kit.kube import NGINX, configmap, controller, endpoint, group, kube

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.snapshot import Snapshot


class FixedSource(Demo):
    """A source that shows one snapshot; its connects have the given error."""

    def __init__(self, shown: Snapshot, error: str | None = None) -> None:
        super().__init__()
        self._shown, self._error = shown, error

    async def read(self) -> Snapshot:
        return self._shown

    async def connect(self, address: str, port: int, timeout: float) -> Connect:
        assert timeout > 0
        return Connect(address, port, NOW - 0.5, 0.0015, self._error, None if self._error else "10.4.0.3")


def snapshot(**changes: Any) -> Snapshot:
    newer = (keepalived(controller=controller("--iface=eth0")),)
    return build_kube.snapshot(**{"keepalived": newer} | changes)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """(VIP, snapshot, …) → exit code, stdout."""

    def call(
        vip: str,
        shown: Snapshot | None = None,
        form: Format = Format.TEXT,
        *,
        connect: bool = False,
        error: str | None = None,
    ) -> tuple[int, str]:
        source = FixedSource(shown or snapshot(), error)
        monkeypatch.setattr(Invocation, "source", lambda _self: source)
        code = trace(Invocation(form=form), vip, connect=connect, listen=0.0)
        return int(code), capsys.readouterr().out

    return call


WHOLE = """\
10.4.0.50:80  default/nginx by NAT, seen from node-a
LAYER           STATE  AGE   EVIDENCE
ConfigMap       ok     0.2s  default/vip-configmap maps it to default/nginx with NAT
Service         ok     0.2s  default/nginx 80/TCP to targetPort 8080
endpoints       ok     0.2s  2 ready: nginx-5 on node-b (10.2.68.5:8080), nginx-6 on node-b (10.2.68.6:8080)
config file     ok     0.0s  in instance vips; virtual server 10.4.0.50:80 has 2 real servers
running config  ok     0.0s  keepalived runs the config file
IPVS            ok     0.0s  10.4.0.50:80 2/2 real servers up
address         ok     0.0s  not on this node, which is BACKUP; 10.4.0.5 has it
VRRP owner      ok     0.5s  10.4.0.5 advertises it (another node)
Every layer is ok.
"""


def test_a_whole_chain_as_text(run: Any) -> None:
    assert run(VIP) == (0, WHOLE)
    assert run(f"{VIP}:80") == (0, WHOLE)


def test_the_first_break_is_named_with_what_to_do_next(run: Any) -> None:
    code, text = run(VIP, snapshot(ipvs=table(real(5))))
    assert code == 1
    assert text.splitlines()[-2:] == [
        (
            "First break: IPVS: 10.4.0.50:80 1/2 real servers up: 10.2.68.6:8080 (pod default/nginx-6) is not in the "
            "kernel"
        ),
        (
            "Next: restart keepalived: a reload does not add it, because keepalived compares configs, not the kernel; "
            "was it deleted with ipvsadm?"
        ),
    ]


def test_unknown_layers_have_their_own_exit_code(run: Any) -> None:
    code, text = run(VIP, snapshot(kube=None))
    assert code == 3
    assert text.splitlines()[-1] == "No layer is known to be broken; unknown: ConfigMap, Service, endpoints."


@pytest.mark.parametrize(("reason", "code"), [(UnavailableReason.ABSENT, 3), (UnavailableReason.UNWANTED, 0)])
def test_no_kube_checks_this_node_only(run: Any, reason: UnavailableReason, code: int) -> None:
    no_api = Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "no API", reason=reason)
    others = tuple(s for s in snapshot().sources if s.name is not SourceName.KUBERNETES)
    ended, text = run(VIP, snapshot(kube=None, sources=(*others, no_api)))
    assert ended == code
    assert "according to keepalived.conf: default/nginx with NAT" in text
    assert text.splitlines()[-1] == (
        "Next: set --kubeconfig FILE, or disable these layers with --no-kube"
        if code
        else "Every layer of this node is ok; the cluster was not checked."
    )


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
def test_a_chain_as_a_document(run: Any, form: Format) -> None:
    lost = snapshot(kube=kube(configmap=configmap({})))
    code, text = run(VIP, lost, form)
    document = json.loads(text) if form is Format.JSON else yaml.safe_load(text)
    assert code == 1
    assert (document["schema"], document["vip"], document["mapping"]) == (1, VIP, None)
    jsonschema.validate(document, schema()["$defs"]["trace"])
    jsonschema.validate(json.loads(run(VIP, form=Format.JSON)[1]), schema()["$defs"]["trace"])
    (one,) = document["chains"]
    assert (one["port"], one["protocol"], one["whole"], one["first_break"]) == (80, "TCP", False, "configmap")
    for link in one["chain"]:
        jsonschema.validate(link, {**schema(), **schema()["$defs"]["Link"]})
    assert [link["ok"] for link in one["chain"]] == [False, None, None, True, True, True, True, True]
    assert [link["age_seconds"] for link in one["chain"]] == [0.2, None, None, 0.0, 0.0, 0.0, 0.0, 0.5]


TEXT = "\x1b[31m[red]\u202e\n" + "x" * 100_000


def test_text_from_outside_has_no_control_characters(run: Any) -> None:
    pods = (replace(endpoint(5), pod=(TEXT, TEXT), node=TEXT), endpoint(6))
    shown = snapshot(
        kube=kube(configmap=configmap({VIP: "default/nginx", TEXT: TEXT}), endpoints={NGINX: (group(*pods),)})
    )
    for vip in VIP, TEXT:
        text = run(vip, shown)[1]
        assert [c for c in text if c != "\n" and not c.isprintable()] == []
        assert len(text) < 40_000


SIX = replace(conf(conf_real(5)).virtual_servers[0], address="fd00::50")
DNS = [replace(SIX, address=VIP, port=53, protocol=p) for p in (Protocol.TCP, Protocol.UDP)]
MORE: Conf = replace(conf(conf_real(5), conf_real(6)), virtual_servers=(*conf(conf_real(5)).virtual_servers, SIX, *DNS))


def index() -> ChainIndex:
    return ChainIndex(observe(snapshot(conf=MORE, running=MORE)))


CHOICES = {
    VIP: (VIP, (Port(53), Port(53, Protocol.UDP), Port(80))),
    f"{VIP}:53": (VIP, (Port(53), Port(53, Protocol.UDP))),
    f"udp {VIP}:53": (VIP, (Port(53, Protocol.UDP),)),
    "fd00::50": ("fd00::50", (Port(80),)),
    "[fd00:0::50]:80": ("fd00::50", (Port(80),)),
    "[fd00::50]": ("fd00::50", (Port(80),)),
}


@pytest.mark.parametrize(("text", "meant"), CHOICES.items(), ids=list(CHOICES))
def test_which_vip_and_ports_are_traced(text: str, meant: tuple[str, tuple[Port, ...]]) -> None:
    assert find_ports(index(), text) == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.4.0.99", "no layer has the VIP 10.4.0.99; the VIPs are: 10.4.0.50, fd00::50"),
        ("[fd00::50]:81", "no layer has port 81 of the VIP fd00::50; its ports: 80"),
    ],
)
def test_an_unknown_vip_is_an_error_that_lists_the_others(text: str, says: str) -> None:
    with pytest.raises(UnknownVipError, match="^" + says.replace("[", r"\[")):
        find_ports(index(), text)


def test_a_source_that_cannot_be_read_may_have_the_vip() -> None:
    ipvs = Source(SourceName.IPVS, SourceState.UNAVAILABLE, "ip_vs is not loaded in this kernel")
    absent = Source(
        SourceName.KUBERNETES, SourceState.UNAVAILABLE, "no API is configured here", reason=UnavailableReason.ABSENT
    )
    by_name = {s.name: s for s in kit.sources()} | {SourceName.KUBERNETES: absent}
    whole = ChainIndex(observe(snapshot(sources=tuple(by_name.values()))))
    with pytest.raises(UnknownVipError):
        find_ports(whole, "10.4.0.99")
    unread = ChainIndex(observe(snapshot(sources=tuple((by_name | {SourceName.IPVS: ipvs}).values()))))
    with pytest.raises(UnreadSourcesError, match=r"has the VIP 10.4.0.99; cannot read: ipvs \(ip_vs is not loaded"):
        find_ports(unread, "10.4.0.99")


def test_a_word_that_is_not_an_address_is_a_usage_error(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownTargetError):
        find_ports(index(), "nginx")
    with pytest.raises(SystemExit) as ended:
        run("10.4.0.99")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "kvtui: no layer has the VIP 10.4.0.99; the VIPs are: 10.4.0.50\n"


def test_a_key_that_is_not_an_address_can_be_traced(run: Any) -> None:
    code, text = run("my vip", snapshot(kube=kube(configmap=configmap({"my vip": "default/nginx"}))))
    assert code == 1
    assert "First break: config file: " in text


def test_a_connect_on_request(run: Any) -> None:
    code, text = run(VIP, connect=True)
    assert code == 0
    (line,) = [line for line in text.splitlines() if line.startswith("TCP connect")]
    assert line.startswith("TCP connect     ok     0.5s  accepted in 2 ms, from 10.4.0.3; through this node's IPVS")
    assert "TCP connect" not in run(VIP)[1]


def test_a_connect_that_fails_breaks_the_chain(run: Any) -> None:
    code, text = run(VIP, connect=True, error="connection refused")
    assert code == 1
    assert "First break: TCP connect: connection refused after 2 ms" in text


def test_the_clusters_layers_are_not_drawn_where_no_api_is_configured() -> None:
    links = (
        ChainLink(Layer.CONFIGMAP, Mark.UNKNOWN, "no Kubernetes API is configured", remedy=NO_API_REMEDY),
        ChainLink(Layer.CONF, Mark.OK, "in instance vips"),
        ChainLink(Layer.RUNNING, Mark.BROKEN, "keepalived does not run"),
    )
    assert line_text(chain_line(links, UNICODE)) == "Conf─✗ Run"
    assert chain_cell(links, UNICODE).text == "•✗ running config"
