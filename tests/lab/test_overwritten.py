"""A controller writes keepalived.conf again after `kvtui priority`: in place, no SIGHUP, as keepalived-vip does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.lab.operate import kvtui, succeed
from tests.lab.poll import poll
from tests.lab.tcpdump import next_priority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.cluster import Cluster

TOLD = (
    r"kvtui: something else overwrote /etc/keepalived/keepalived\.conf at \d\d:\d\d:\d\d \w+: it has priority 102, "
    r"not 110 of \S+ for vips; keepalived runs with priority 110 until the next SIGHUP or restart\n"
)


@pytest.mark.lab(timeout=300)
def test_it_is_said_until_it_is_reloaded(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    text = node.conf_path.read_text()
    succeed(node, state, "--yes", "priority", "vips", "110")
    assert "overwrote" not in kvtui(node, state, "status").stderr
    with node.conf_path.open("w") as file:  # truncated and written again: the same inode
        file.write(text)
    poll(lambda: re.search(TOLD, kvtui(node, state, "status").stderr), 20, "what kvtui status says")
    assert next_priority(node) == 110

    journal = kvtui(node, state, "journal")
    assert re.search(TOLD, journal.stderr)
    (entry,) = json.loads(kvtui(node, state, "journal", "-o", "json").stdout)["journal"]
    assert entry["overwritten"] in journal.stderr

    node.reload()
    assert "overwrote" not in kvtui(node, state, "status").stderr
    assert "; keepalived was reloaded or restarted since and runs with 102\n" in kvtui(node, state, "journal").stderr
    assert next_priority(node) == 102
    succeed(node, state, "--yes", "undo")  # there is nothing left to take back, and that is what it writes down
    assert "overwrote" not in kvtui(node, state, "journal").stderr
    assert node.conf_path.read_text() == text
