"""A controller overwrites keepalived.conf after `kvtui priority`: in place and without SIGHUP, as keepalived-vip."""

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

WARNING = (
    r"kvtui: something else overwrote /etc/keepalived/keepalived\.conf at \d\d:\d\d:\d\d \w+: it has priority 102, "
    r"not 110 of \S+ for vips; keepalived runs with priority 110 until the next SIGHUP or restart\n"
)


@pytest.mark.lab(timeout=300)
def test_an_overwritten_priority_is_reported_until_the_reload(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    text = node.conf_path.read_text()
    succeed(node, state, "--yes", "priority", "vips", "110")
    assert "overwrote" not in kvtui(node, state, "status").stderr
    with node.conf_path.open("w") as file:  # truncate and write: the inode stays
        file.write(text)
    poll(lambda: re.search(WARNING, kvtui(node, state, "status").stderr), 20, "the warning of kvtui status")
    assert next_priority(node) == 110

    journal = kvtui(node, state, "journal")
    assert re.search(WARNING, journal.stderr)
    (entry,) = json.loads(kvtui(node, state, "journal", "-o", "json").stdout)["journal"]
    assert entry["overwritten"] in journal.stderr

    node.reload()
    assert "overwrote" not in kvtui(node, state, "status").stderr
    assert "; keepalived was reloaded or restarted since and runs with 102\n" in kvtui(node, state, "journal").stderr
    assert next_priority(node) == 102
    succeed(node, state, "--yes", "undo")  # there is nothing to undo, and the journal records that
    assert "overwrote" not in kvtui(node, state, "journal").stderr
    assert node.conf_path.read_text() == text
