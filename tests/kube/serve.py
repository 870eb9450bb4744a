"""Runs the fake API by hand: prints the kvtui command to use with it, and runs commands from standard input.

python -m tests.kube.serve
ip netns exec node-a python -m tests.kube.serve --port 6443 --kubeconfig /tmp/kube
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.kube import objects
from tests.kube.cluster import FakeCluster

HELP = """put FILE              create or replace the objects of a YAML or JSON file
delete PLURAL NS NAME delete an object (NS is - for nodes)
ready NAME true|false readiness of endpoint NAME (pod) in every slice
forbid PLURAL, allow PLURAL, without PLURAL
outage SECONDS, freeze SECONDS, cut, compact, expire
requests              number of requests so far"""


def _obey(cluster: FakeCluster, words: list[str]) -> str:
    import yaml  # noqa: PLC0415 - only by hand

    match words:
        case ["put", file]:
            cluster.put(*yaml.safe_load_all(Path(file).read_text()))
        case ["delete", plural, namespace, name]:
            cluster.delete(plural, "" if namespace == "-" else namespace, name)
        case ["ready", pod, state]:
            _set_ready(cluster, pod, ready=state == "true")
        case [("forbid" | "allow" | "without" | "cut" | "compact" | "expire") as verb, *rest]:
            getattr(cluster, verb)(*rest)
        case ["outage", seconds]:
            with cluster.outage():
                time.sleep(float(seconds))
        case ["freeze", seconds]:
            with cluster.frozen():
                time.sleep(float(seconds))
        case ["requests"]:
            return str(len(cluster.requests))
        case _:
            return HELP
    return "ok"


def _set_ready(cluster: FakeCluster, pod: str, *, ready: bool) -> None:
    """Sets the readiness of an endpoint in every slice that has it."""
    for obj in cluster.all("endpointslices"):
        hit = [e for e in obj["endpoints"] if e.get("targetRef", {}).get("name") == pod]
        for one in hit:
            one["conditions"]["ready"] = ready
        if hit:
            cluster.put(obj)


def main(arguments: list[str] | None = None) -> None:
    """Serves the tutorial's cluster until the end of standard input."""
    parser = argparse.ArgumentParser(description="A fake Kubernetes API with the tutorial's cluster.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--vip", default="10.4.0.50")
    parser.add_argument("--empty", action="store_true", help="without the tutorial's objects")
    parser.add_argument("--kubeconfig", default=str(Path(tempfile.gettempdir()) / "fake-cluster.kubeconfig"))
    options = parser.parse_args(arguments)
    with FakeCluster(host=options.host, port=options.port) as cluster:
        if not options.empty:
            cluster.put(*objects.tutorial(vip=options.vip))
        path = cluster.kubeconfig(options.kubeconfig)
        mappings = f"kvtui --kubeconfig {path} --configmap default/vip-configmap mappings"
        print(f"serving {cluster.url}; {mappings}", flush=True)
        for line in sys.stdin:
            print(_obey(cluster, line.split()), flush=True)


if __name__ == "__main__":
    main()
