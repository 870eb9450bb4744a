"""The lab's Kubernetes API: the tests' emulator in its own network namespace, with the endpoint controllers.

    python -m tests.lab.story.api FOLDER

It writes into the folder `kubeconfig`, once it serves, and `targets.json` for the traffic (services.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.kube.cluster import FakeCluster
from tests.lab.services import die_with_parent
from tests.lab.story import client, world


def write_targets(folder: Path, targets: list[tuple[str, int]], sources: list[str]) -> None:
    """Writes the addresses for the traffic, which reads them before each request."""
    temp = folder / "targets.new"
    temp.write_text(json.dumps([[vip, port, sources] for vip, port in targets]))
    temp.replace(folder / "targets.json")


def main() -> None:
    """Serves until the lab ends."""
    die_with_parent()
    folder = Path(sys.argv[1])
    plan = json.loads((folder / "world.json").read_text())
    with FakeCluster(host=client.HOST, port=client.PORT) as cluster:
        cluster.put(*world.initial_objects(plan["nodes"]))
        world.reconcile(cluster)
        revision = 0
        cluster.kubeconfig(folder / "kubeconfig.new").replace(folder / "kubeconfig")
        while True:
            write_targets(folder, world.targets(cluster), plan["sources"])
            revision = cluster.changed_since(revision)
            world.reconcile(cluster)


if __name__ == "__main__":
    main()
