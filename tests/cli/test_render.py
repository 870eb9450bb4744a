"""``kvtui render``: output, differences of the file, exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from msgspec.structs import replace

from kvtui.backend.conf import reader
from kvtui.backend.demo import Demo
from kvtui.cli.invocation import Invocation
from kvtui.cli.output import EXIT_USAGE, Format
from kvtui.cli.render import RenderExit, render
from kvtui.model.mapping import Dialect
from kvtui.model.source import SourceName, SourceState
from kvtui.presenters.schema import schema
from tests import kit
from tests.kit import kube as build_kube
from tests.kit.kube import configmap, controller, endpoint, group, kube, service, source
from tests.shared import shared_path

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.kube import Kube
    from kvtui.model.snapshot import Snapshot

ECHO = ("default", "echoheaders")


def golden() -> str:
    return shared_path("confs", "golden-aledbf-nat.conf").read_text()


class FixedSource(Demo):
    """A source that shows one snapshot."""

    def __init__(self, shown: Snapshot) -> None:
        super().__init__()
        self._shown = shown

    async def read(self) -> Snapshot:
        return self._shown


def golden_kube(**changes: Any) -> Kube:
    """Returns the cluster of the golden file."""
    known = kube(
        configmap=configmap({kit.VIP: "default/echoheaders"}),
        services={ECHO: service("echoheaders")},
        endpoints={ECHO: (group(endpoint(5), endpoint(6)),)},
    )
    return replace(known, **changes)


def snapshot(**changes: Any) -> Snapshot:
    newer = (kit.keepalived(controller=controller("--http-port=8080")),)
    return build_kube.snapshot(**{"keepalived": newer, "kube": golden_kube()} | changes)


def on_disk(path: Path, text: str, **changes: Any) -> Snapshot:
    """Returns a node whose keepalived.conf is this file."""
    path.write_text(text)
    newer = kit.keepalived(controller=controller("--http-port=8080"), root="", conf=str(path))
    conf = reader.read(str(path), now=kit.NOW)
    return snapshot(keepalived=(newer,), conf=conf, **{"running": conf} | changes)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """(snapshot, options) → exit code, stdout, stderr."""

    def call(shown: Snapshot, form: Format = Format.TEXT, **options: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(Invocation, "source", lambda _self: FixedSource(shown))
        try:
            code = int(render(Invocation(form=form), wait=0.0, **options))
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return (code, printed.out, printed.err)

    return call


def test_stdout_is_the_config_byte_for_byte_and_stderr_names_assumptions(run: Any) -> None:
    code, out, err = run(snapshot())
    assert (code, out) == (RenderExit.OK, golden())
    assert err.splitlines() == [
        "kvtui: controller aledbf: only this controller has --http-port (override with --dialect)",
        "kvtui: assumed: all 3 nodes count; a nodeSelector of the DaemonSet would exclude some",
    ]


def test_another_controller_and_another_node(run: Any) -> None:
    code, out, err = run(snapshot(), dialect=Dialect.V09, node="node-c", interface="ens3")
    assert code == RenderExit.OK
    assert "  interface ens3\n" in out
    assert "  priority 102\n" in out
    assert "# Service: default/echoheaders\n" in out
    assert "given by option" in err


def test_skipped_entries_are_named(run: Any) -> None:
    data = {kit.VIP: "default/echoheaders", "10.4.0.51": "default/gone", "10.4.0.52": "a/b:TUN"}
    code, out, err = run(snapshot(kube=golden_kube(configmap=configmap(data))))
    assert (code, out) == (RenderExit.OK, golden())
    assert "kvtui: skipped: 10.4.0.51: Service default/gone does not exist\n" in err
    assert 'kvtui: skipped: 10.4.0.52: unknown method "TUN"' in err


def test_render_without_an_api_names_the_missing_source(run: Any) -> None:
    without_api = snapshot(kube=None, sources=(source(SourceState.UNAVAILABLE, "no API; --kubeconfig names one"),))
    assert run(without_api) == (
        RenderExit.UNKNOWN,
        "",
        "kvtui: the expected config depends on the Kubernetes API: no API; --kubeconfig names one\n",
    )


def test_a_missing_right_does_not_give_an_empty_config(run: Any) -> None:
    code, out, err = run(snapshot(kube=golden_kube(endpoints=None)))
    assert (code, out) == (RenderExit.UNKNOWN, "")
    assert "kvtui: unknown: the endpoints were not read\n" in err


def test_the_error_of_the_api_comes_first(run: Any) -> None:
    why = "127.0.0.1:9 refuses connections: the API server does not run there"
    nothing = golden_kube(configmap_name=None, configmap=None, services=None, endpoints=None, pods=None, nodes=None)
    others = tuple(s for s in kit.sources() if s.name is not SourceName.KUBERNETES)
    down = snapshot(kube=nothing, sources=(*others, source(SourceState.UNAVAILABLE, why, read_at=None)))
    code, out, err = run(down)
    assert (code, out) == (RenderExit.UNKNOWN, "")
    assert err.splitlines()[0] == f"kvtui: unknown: {why}"
    assert "kvtui: unknown: the Services were not read\n" in err


def test_an_unknown_node_is_a_usage_error(run: Any) -> None:
    code, out, err = run(snapshot(), node="node-x")
    assert (code, out) == (EXIT_USAGE, "")
    assert "the cluster has no node node-x; its nodes: node-a, node-b, node-c" in err
    assert run(snapshot(), node="node-c", diff=True)[0] == EXIT_USAGE


def test_the_file_that_the_controller_wrote_has_no_diff(run: Any, tmp_path: Path) -> None:
    code, out, _ = run(on_disk(tmp_path / "k.conf", golden()), diff=True)
    assert (code, out) == (RenderExit.OK, "")
    blanks = "\n".join(x for x in golden().split("\n") if x.strip())
    code, out, err = run(on_disk(tmp_path / "k.conf", blanks), diff=True)
    assert (code, out) == (RenderExit.OK, "")
    assert err.endswith("kvtui: the file differs only in comments and blank space\n")


def test_a_hand_edit_is_shown_without_passwords(run: Any, tmp_path: Path) -> None:
    edited = golden().replace("priority 100", "priority 90\n  authentication {\n    auth_pass s3cr3t\n  }")
    code, out, err = run(on_disk(tmp_path / "k.conf", edited, running=None), diff=True)
    assert code == RenderExit.DIFFERS
    assert out.split("\n")[:13] == [
        f"--- {tmp_path}/k.conf",
        "+++ expected",
        "@@ -20,10 +20,7 @@",
        "   state BACKUP",
        "   interface eth0",
        "   virtual_router_id 50",
        "-  priority 90",
        "-  authentication {",
        "-    auth_pass ********",
        "-  }",
        "+  priority 100",
        "   nopreempt",
        "   advert_int 1",
    ]
    assert "s3cr3t" not in out + err
    assert "file: instance vips: priority is 90; the controller would write 100" in err


def test_the_running_config_is_compared_too(run: Any, tmp_path: Path) -> None:
    running = kit.conf(kit.conf_real(5))
    code, out, err = run(on_disk(tmp_path / "k.conf", golden(), running=running), diff=True)
    assert (code, out) == (RenderExit.OK, "")
    assert (
        "running config: virtual server 10.4.0.50:80 lacks real server 10.2.68.6:8080, a ready endpoint "
        "(pod default/nginx-6)\n"
    ) in err


def test_a_file_that_cannot_be_read(run: Any, tmp_path: Path) -> None:
    gone = on_disk(tmp_path / "k.conf", golden())
    (tmp_path / "k.conf").unlink()
    assert run(gone, diff=True)[:2] == (RenderExit.UNKNOWN, "")
    assert run(snapshot(conf=None, running=None), diff=True)[0] == RenderExit.UNKNOWN


def test_json_has_text_and_differences(run: Any, tmp_path: Path) -> None:
    edited = golden().replace("weight 1", "weight 0", 1)
    code, out, err = run(on_disk(tmp_path / "k.conf", edited, running=None), Format.JSON, diff=True)
    assert (code, err) == (RenderExit.DIFFERS, "")
    document = json.loads(out)
    assert document["text"] == golden()
    assert (document["dialect"], document["vips"], document["missing"]) == ("aledbf", [kit.VIP], [])
    assert document["running"] is None
    assert document["file"] == [
        {
            "kind": "weight",
            "text": "virtual server 10.4.0.50:80: weight of real server 10.2.68.5:8080 is 0; the controller would "
            "write 1",
            "vip": kit.VIP,
            "port": 80,
            "protocol": "TCP",
            "real_server": {"address": "10.2.68.5", "port": 8080},
            "value": "weight",
            "wanted": "1",
            "found": "0",
            "service": "default/echoheaders",
            "pod": "default/nginx-5",
        }
    ]
    assert run(snapshot(kube=golden_kube(services=None)), Format.JSON)[0] == RenderExit.UNKNOWN


UNREADY = {ECHO: (group(endpoint(5, ready=False)),)}
DOCUMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "a port that is skipped": ({"kube": golden_kube(endpoints=UNREADY)}, {"diff": True}),
    "everything differs": ({"kube": golden_kube(), "conf": None, "running": kit.conf()}, {"diff": True}),
    "not known": ({"kube": golden_kube(services=None)}, {"diff": True}),
    "another node": ({}, {"node": "node-b", "interface": "eth1"}),
}


@pytest.mark.parametrize(("changes", "options"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_the_document_matches_the_schema(run: Any, changes: dict[str, Any], options: dict[str, Any]) -> None:
    _, out, _ = run(snapshot(**changes), Format.JSON, **options)
    document = json.loads(out)
    wanted = schema()["$defs"]["render"]
    jsonschema.Draft202012Validator.check_schema(wanted)
    jsonschema.validate(document, wanted, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    assert ("file" in document) is bool(options.get("diff"))
    for strange in ({**document, "extra": 1}, {k: v for k, v in document.items() if k != "text"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(strange, wanted)


def test_control_characters_from_outside_do_not_reach_the_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = configmap({kit.VIP: "default/echoheaders:NAT\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}"})
    shown = snapshot(kube=golden_kube(configmap=evil))
    code, out, err = run(shown)
    assert code == RenderExit.OK
    assert "lvs_method NAT\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}\n" in out  # a pipe gets the unchanged text
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    _, shown_out, shown_err = run(shown)
    for text in (shown_out, err, shown_err):
        assert "\x1b" not in text
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    assert "lvs_method NAT\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\n" in shown_out
