"""The lab story's controller, its objects and its shell commands, with the emulator, without the lab's kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kube import objects, tables
from tests.kube.patches import patched
from tests.lab.story import client, lab, tour, world
from tests.lab.story.controller import Controller

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.cluster import FakeCluster

NODES = {"node-a": "10.4.0.3", "node-b": "10.4.0.4", "node-c": "10.4.0.5"}
ENTRIES = {
    **world.CONFIGMAP,
    "10.4.0.52": "default/nginx:nat",
    "10.4.0.53": "no slash",
    "10.4.0.54": "default/missing",
    "10.4.0.55": "default/ports:DR",
    "10.4.0.56": "default/nginx:NATX",
    "10.4.0.57": "default/nginx:DR\ndefault/echo",
    "10.4.0.58": "default/alone",
    "10.4.0.59": "default/nginx:",
}


@pytest.fixture
def api(fake: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Puts the lab's objects into the fake cluster and points the lab's programs at it."""
    monkeypatch.setattr(client, "HOST", "127.0.0.1")
    monkeypatch.setattr(client, "PORT", fake.port)
    fake.put(*world.initial_objects(NODES))
    world.reconcile(fake)
    return fake


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Controller:
    """Returns the controller of node-b."""
    monkeypatch.setenv("POD_NAMESPACE", "default")
    monkeypatch.setenv("POD_NAME", "kube-keepalived-vip-node-b")
    return Controller({"services-configmap": "default/vip-configmap"}, tmp_path / "keepalived.conf", ["true"])


def expected(api: FakeCluster, folder: Path) -> str:
    """Returns the config that kvtui expects node-b's controller to write."""
    command = ["--kubeconfig", str(api.kubeconfig(folder / "kube")), "--configmap", "default/vip-configmap", "render"]
    done = subprocess.run(
        [sys.executable, "-m", "kvtui", *command, "--node", "node-b", "--iface", "eth0", "--dialect", "aledbf"],
        capture_output=True, text=True, check=True, timeout=300,
        env={k: v for k, v in os.environ.items() if not k.startswith("KVTUI_")},
    )  # fmt: skip
    return done.stdout


def test_the_controller_writes_the_config_that_kvtui_expects(
    api: FakeCluster, controller: Controller, tmp_path: Path
) -> None:
    both = objects.service("ports", ports=((80, 80), (53, 53)), selector={"app": "echo"})
    both["spec"]["ports"][0]["name"] = "http"
    both["spec"]["ports"][1] |= {"name": "dns", "protocol": "UDP"}
    api.put(objects.configmap(ENTRIES), both, objects.service("alone", selector={"app": "nobody"}))
    api.put(world.with_readiness(world.pods()["nginx-2"], ready=False))
    world.reconcile(api)
    text = controller.render()
    assert "10.4.0.12" not in text
    assert text == expected(api, tmp_path)


def test_without_a_vip_the_controller_writes_no_instance(api: FakeCluster, controller: Controller) -> None:
    api.put(objects.configmap({}))
    assert "vrrp_instance" not in controller.render()


def test_endpoints_follow_services_and_pods(api: FakeCluster) -> None:
    api.put(objects.service("more", selector={"app": "echo"}))
    world.reconcile(api)
    subset = api.get("endpoints", "default", "more")["subsets"][0]
    assert [a["ip"] for a in subset["addresses"]] == ["10.4.0.14", "10.4.0.15"]
    assert world.targets(api) == [("10.4.0.50", 80), ("10.4.0.51", 80)]
    lab.endpoint("down", "echo-1")
    world.reconcile(api)
    subset = api.get("endpoints", "default", "more")["subsets"][0]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.4.0.14"]
    slices = [s for s in api.all("endpointslices") if s["metadata"]["name"] == "more-x1"]
    assert [e["conditions"]["ready"] for e in slices[0]["endpoints"]] == [False, True]
    lab.endpoint("down", "echo-2")
    world.reconcile(api)
    assert world.targets(api) == [("10.4.0.50", 80)]
    api.delete("services", "default", "more")
    world.reconcile(api)
    assert "more" not in {o["metadata"]["name"] for o in api.all("endpoints")}


def test_incomplete_objects_do_not_stop_the_reconciler(api: FakeCluster) -> None:
    """Nothing validates objects applied by hand, and no kubelet gives a new pod a status."""
    bare = {"kind": "Pod", "metadata": objects.metadata("default", "mine", labels={"app": "echo"}), "spec": {}}
    api.put(bare, {"kind": "Service", "metadata": objects.metadata("default", "out"), "spec": {"selector": {"a": "b"}}})
    api.put({"kind": "Endpoints", "metadata": objects.metadata("default", "none")})
    world.reconcile(api)
    assert world.targets(api) == [("10.4.0.50", 80), ("10.4.0.51", 80)]
    rows = tables.table("pods", [bare])["rows"]
    assert rows[0]["cells"] == ["mine", "0/1", "Pending", "<none>", "<none>"]


def typed(words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Runs a command of the lab's shell; returns its exit status and its output."""
    monkeypatch.setattr(sys, "argv", ["lab", *words.split()])
    status = lab.main()
    printed = capsys.readouterr()
    return status, printed.out + printed.err


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ("", 0, "lab tour"),
        ("help", 0, "lab vip add VIP SERVICE"),
        ("vips", 0, "10.4.0.60: (VIP only)"),
        ("vip add 10.4.0.52 nginx", 0, "10.4.0.52: default/nginx is in the ConfigMap"),
        ("vip add 10.4.0 nginx", 1, '"10.4.0" is no address'),
        ("vip add fd00::1 nginx", 1, "choose one from 10.4.0.50 to 10.4.0.99"),
        ("vip add 10.4.0.3 nginx", 1, "choose one from 10.4.0.50 to 10.4.0.99"),
        ("vip add 10.4.0.52", 2, 'no command "vip add 10.4.0.52"'),
        ("vip remove 10.4.0.51", 0, "10.4.0.51 is no longer in the ConfigMap"),
        ("vip remove 10.4.0.52", 1, 'no VIP "10.4.0.52"; there are 10.4.0.50, 10.4.0.51, 10.4.0.60'),
        ("endpoint down nginx-9", 1, 'no pod "nginx-9"; there are nginx-1'),
        ("crash node-d", 1, 'no node "node-d"; there are node-a, node-b, node-c'),
        ("crash node-a", 1, "keepalived does not run on node-a"),
        ("split node-a node-b", 2, "no command"),
        ("tour 7", 1, "the tour has steps 1 to 6"),
        ("reboot", 2, 'no command "reboot"; "lab" lists all'),
    ],
)
def test_a_command_of_the_lab_prints_what_it_did_or_a_remedy(
    words: str,
    status: int,
    sentence: str,
    api: FakeCluster,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert api.port
    monkeypatch.setattr(lab, "FOLDER", tmp_path)
    found, printed = typed(words, capsys, monkeypatch)
    assert found == status
    assert sentence in printed


def test_the_tour_advances_and_shows_only_existing_commands(tmp_path: Path) -> None:
    state = tmp_path / "tour"
    assert [tour.advance(state, []) for _ in range(7)] == [1, 2, 3, 4, 5, 6, 1]
    assert tour.advance(state, ["3"]) == 3
    assert tour.advance(state, []) == 4
    assert tour.advance(state, ["x"]) is None
    for step in tour.STEPS:
        assert max(map(len, tour.step_text(1 + tour.STEPS.index(step)).split("\n"))) <= 118
        for line in step.typed:
            if line.startswith("lab "):
                assert lab.find(line.split()[1:]) is not None, line


def test_a_strategic_patch_merges_ports_by_number_and_a_merge_patch_replaces_them() -> None:
    service = objects.service("web", ports=((80, 8080), (443, 8443)))
    change = {"spec": {"ports": [{"port": 443, "$patch": "delete"}, {"port": 80, "targetPort": 81}]}}
    merged = patched(service, change, strategic=True)
    assert merged["spec"]["ports"] == [{"port": 80, "targetPort": 81, "protocol": "TCP"}]
    assert patched(service, {"spec": {"ports": []}}, strategic=False)["spec"]["ports"] == []
    assert patched(objects.configmap({"a": "b"}), {"data": {"a": None}}, strategic=True)["data"] == {}
