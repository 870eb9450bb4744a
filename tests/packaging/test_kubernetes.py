"""The manifests: valid for Kubernetes 1.30 to 1.37 by its own schemas, with only the documented rights."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kvtui import __version__
from kvtui.backend.kube import query_plan
from tests.shared import shared_path

FOLDER = Path(__file__).parents[2] / "packaging" / "kubernetes"
VERSIONS = [f"1.{minor}.0" for minor in range(30, 38)]
"""Whose schemas kubernetes-validate 1.37 brings, made from each release's own OpenAPI document. 1.30 is the first with
``appArmorProfile``. Strict: a field that is not in the schema is an error."""
CAPABILITIES = ["NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_CHROOT"]
READ = {"get", "list", "watch"}
Document = dict[str, Any]


def documents(path: str) -> list[Document]:
    """Returns the documents of a file."""
    return list(yaml.safe_load_all((FOLDER / path).read_text()))


def resources(folder: str) -> list[Document]:
    """Returns the objects of the files that a folder's kustomization lists as resources."""
    [kustomization] = documents(f"{folder}/kustomization.yaml")
    return [d for name in kustomization["resources"] if name.endswith(".yaml") for d in documents(f"{folder}/{name}")]


def merged(old: Any, new: Any) -> Any:
    """Returns a strategic merge, as far as the patch needs it: lists merge by the objects' names, new ones first."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {k: merged(old[k], new[k]) if k in old and k in new else {**old, **new}[k] for k in {**old, **new}}
    if isinstance(old, list) and isinstance(new, list) and all("name" in item for item in [*old, *new]):
        named = {item["name"]: item for item in new}
        rest = [merged(item, named.pop(item["name"])) if item["name"] in named else item for item in old]
        return [*named.values(), *rest]
    return new


def with_sidecar() -> list[Document]:
    """Returns the objects that `kubectl apply -k packaging/kubernetes/with-sidecar` sends."""
    [patch] = documents("sidecar/daemonset.yaml")
    together = [*resources("example"), *resources("sidecar")]
    return [merged(d, patch) if d["kind"] == "DaemonSet" else d for d in together]


def named(found: list[Document]) -> dict[tuple[str, str], Document]:
    """Returns the objects by kind and name."""
    return {(d["kind"], d["metadata"]["name"]): d for d in found}


def pod(found: list[Document]) -> Document:
    """Returns the DaemonSet's pod."""
    spec: Document = named(found)["DaemonSet", "kube-keepalived-vip"]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    for document in [*resources("example"), *with_sidecar(), *resources("cluster-view")]:
        assert kubernetes_validate.validate(document, version, strict=True) == version.rpartition(".")[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("profile", ["container", "node"])
def test_the_debug_profiles_are_parts_of_a_container(version: str, profile: str) -> None:
    container = {"name": "debugger", "image": "kvtui", **json.loads((FOLDER / f"debug/{profile}.json").read_text())}
    spec = {"containers": [{"name": "c", "image": "c"}], "ephemeralContainers": [container]}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_are_strict() -> None:
    document = resources("example")[0]
    document["spec"]["template"]["spec"]["hostnetwork"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostnetwork"):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_the_existing_daemonset_stays_unchanged() -> None:
    before, after = pod(resources("example")), pod(with_sidecar())
    ours, theirs = after["containers"]
    assert [ours["name"], theirs] == ["kvtui", before["containers"][0]]
    assert {v["name"] for v in after["volumes"]} - {v["name"] for v in before["volumes"]} == {
        "kvtui-state",
        "kvtui-tmp",
    }
    rest = {k: v for k, v in after.items() if k not in {"containers", "volumes", "shareProcessNamespace"}}
    assert rest == {k: v for k, v in before.items() if k not in {"containers", "volumes"}}


def test_only_the_documented_rights() -> None:
    ours = pod(with_sidecar())["containers"][0]["securityContext"]
    assert ours["capabilities"] == {"drop": ["ALL"], "add": CAPABILITIES}
    assert (ours["privileged"], ours["allowPrivilegeEscalation"], ours["readOnlyRootFilesystem"]) == (
        False,
        False,
        True,
    )
    debug = json.loads((FOLDER / "debug/container.json").read_text())["securityContext"]
    assert debug == {k: v for k, v in ours.items() if k != "readOnlyRootFilesystem"}


def test_roles_only_read_and_cover_kvtuis_requests() -> None:
    roles = [d for d in resources("sidecar") if d["kind"] in {"ClusterRole", "Role"}]
    rules = [rule for role in roles for rule in role["rules"]]
    assert all(set(rule["verbs"]) == READ for rule in rules)
    granted = {resource for rule in rules for resource in rule["resources"]}
    wanted = {("default", "nginx")}
    asked = (
        query_plan.configmap(("default", "vip-configmap")) | query_plan.nodes() | query_plan.services(frozenset(wanted))
    )
    asked |= query_plan.endpoints(frozenset(wanted), slices=True) | query_plan.endpoints(
        frozenset(wanted), slices=False
    )
    asked |= query_plan.pods(None, frozenset(wanted), None)
    assert granted == {query.plural for query in asked}
    [mappings] = [rule for rule in rules if "configmaps" in rule["resources"]]
    assert mappings["resourceNames"] == ["vip-configmap"]


def test_exec_is_separate_and_in_one_namespace() -> None:
    assert not any("exec" in json.dumps(d) for d in with_sidecar())
    role, nodes = (d for d in resources("cluster-view") if "rules" in d)
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "default")
    assert nodes["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    ]  # nodes that lack their pod


def test_the_example_is_the_tutorials_own_case() -> None:
    found = named(resources("example"))
    assert found["ConfigMap", "vip-configmap"]["data"] == {"10.87.2.50": "default/nginx"}
    [port] = found["Service", "nginx"]["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, 80)
    assert pod(resources("example"))["containers"][0]["args"] == ["--services-configmap=default/vip-configmap"]
    published = shared_path("manifests")
    old = yaml.safe_load((published / "kweisamx-vip-daemonset.yaml").read_text())["spec"]["template"]
    new = found["DaemonSet", "kube-keepalived-vip"]["spec"]["template"]
    assert new["metadata"]["labels"] == old["metadata"]["labels"]
    [container], [published_container] = new["spec"]["containers"], old["spec"]["containers"]
    for field in ("name", "args", "env", "securityContext"):
        assert container[field] == published_container[field]
    assert {v["name"]: v for v in new["spec"]["volumes"]} == {v["name"]: v for v in old["spec"]["volumes"]}


def test_the_image_is_this_version() -> None:
    [kustomization] = documents("with-sidecar/kustomization.yaml")
    assert kustomization["images"] == [{"name": "kvtui", "newName": "localhost/kvtui", "newTag": __version__}]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kustomize itself comes with kubectl, which is not here")
def test_kustomize_builds_the_same() -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / "with-sidecar")], capture_output=True, text=True, check=True
    )
    built = named(list(yaml.safe_load_all(done.stdout)))
    expected = named(with_sidecar())
    pod(list(expected.values()))["containers"][0]["image"] = f"localhost/kvtui:{__version__}"
    for document in expected.values():
        if not document["kind"].startswith("Cluster"):
            document["metadata"]["namespace"] = "default"
    assert built == expected
