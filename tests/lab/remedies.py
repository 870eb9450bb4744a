"""Classifies each finding's remedy, and runs it as printed in a shell on the node.

The lab runs a remedy that changes something on its condition: afterwards the finding is gone, and nothing else in IPVS
table, addresses and config has changed. The lab also runs one that only shows something: it must change nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.inside import run_inside

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from tests.lab.node import Node

HEALS: dict[str, str] = {
    "arp-ignore-off": "",
    "drained": r"^-a .*10\.4\.0\.13:80",
    "endpoint-gone-in-ipvs": r"^-a .*10\.4\.0\.14:80",
    "endpoint-not-ready-in-ipvs": r"^-a .*10\.4\.0\.11:80",
    "ip-forward-off": "",
    "ip-nonlocal-bind-off": "",
    "no-live-real-server": r"^-a .*10\.4\.0\.1\d:80",
    "persistence-pins-drained": "",
    "persistence-pins-removed": "",
    "priority-tie": "priority",
    "real-server-not-in-config": r"10\.4\.0\.14:80",
    "rp-filter-strict": "",
    "stale-pid-file": "",
    "vip-left-behind": r"10\.4\.0\.50/32",
    "vip-on-backup": r"10\.4\.0\.50/32",
    "vip-on-wrong-interface": r"10\.4\.0\.50/32",
    "virtual-server-differs": r"^(-A -t|TCP) 10\.4\.0\.50:80 ",
    "virtual-server-not-in-config": r"10\.4\.0\.50:8443",
    "vs-conntrack-off": "",
    "weight-differs": r"^-a .*10\.4\.0\.11:80",
}
"""Finding → a pattern of the lines that its remedy may change."""
SHOWS = frozenset(
    [
        "config-include",
        "config-not-reloaded",
        "config-overwritten",
        "config-syntax",
        "config-value",
        "instance-fault",
        "keepalived-child-missing",
        "no-master",
        "two-keepalived",
        "vip-duplicate-detected",
        "vip-held-no-advert",
    ]
)
"""Remedies that only show something, on any node. ``config-…`` exit with 3 if kvtui refuses the file."""
ELSEWHERE = frozenset(
    [
        "adverts-filtered-here",
        "adverts-rejected",
        "bad-adverts",
        "clock-set-back",
        "configmap-missing",
        "controller-not-ready",
        "drained-or-failed",
        "endpoint-not-in-ipvs",
        "flapping",
        "hmac-malformed",
        "hmac-replay",
        "master-unheard",
        "hmac-stale",
        "instance-without-vips",
        "interface-missing",
        "ip-vs-missing",
        "keepalived-not-running",
        "kube-proxy-ipvs",
        "mapping-error",
        "mapping-odd",
        "multicast-blocked",
        "nopreempt-keeps-lowered-master",
        "no-ready-endpoints",
        "port-changed-by-direct-routing",
        "priority-lowered",
        "priority-overwritten",
        "proxy-without-mode",
        "rbac-missing",
        "real-server-down",
        "running-not-expected",
        "service-missing",
        "source-stale",
        "sources-contradict",
        "two-masters",
        "vip-lists-differ",
        "vip-missing-on-master",
    ]
)
"""Remedies that need kubectl, tcpdump, nc, nft or another node, or a condition that the lab does not create. The lab
only checks that a shell can parse their commands."""
PROSE = frozenset(
    [
        "advert-interval-differs",
        "carp-sender",
        "config-empty",
        "config-missing",
        "configmap-owned",
        "directors-circle-packets",
        "hmac-not-configured",
        "hmac-unknown-key",
        "hmac-unsigned",
        "interface-is-bridge-port",
        "mapping-not-served",
        "node-address-missing",
        "nopreempt-cleared",
        "real-server-full",
        "real-server-not-in-kernel",
        "sorry-server-is-real-server",
        "strict-drops-traffic",
        "script-disabled",
        "udp-with-tcp-check",
        "unicast-peers-wrong",
        "version-fault",
        "vip-on-kube-proxy",
        "virtual-server-not-in-kernel",
        "virtual-server-without-vip",
        "vrid-collision",
        "vrrp-auth-differs",
        "vrrp-group-differs",
        "vrrp-version-differs",
        "weight-in-sync-group",
        "weight-moves-nothing",
        "weight-with-nopreempt",
        "weight-with-priority-255",
    ]
)
"""Remedies that are sentences, not commands."""
COMMANDS = frozenset(
    [
        "chronyc",
        "ip",
        "ipvsadm",
        "journalctl",
        "kill",
        "kubectl",
        "kvtui",
        "modprobe",
        "nc",
        "nft",
        "nsenter",
        "ps",
        "rm",
        "sysctl",
        "tcpdump",
        "timedatectl",
    ]
)
"""First words of remedies that are commands. `keepalived` is missing: sentences begin with it too."""
UNVERIFIED = 4
"""kvtui's exit status for an action that was applied but not verified; the test verifies the effect itself."""
REFUSED = 3
"""kvtui's exit status for a refused plan, such as `kvtui --dry-run reload` of a broken file."""


@dataclass(frozen=True)
class NodeLines:
    """The lines of a node's state that a remedy must not change."""

    lines: tuple[str, ...]

    @classmethod
    def of(cls, node: Node) -> NodeLines:
        limits = node.exec(["ipvsadm", "-Ln", "--thresholds"], check=True).stdout
        thresholds = [" ".join(line.split()[:4]) for line in limits.splitlines()]  # without connection counts
        addresses = run_inside(node.netns, ["ip", "-o", "address"], check=True).stdout.splitlines()
        conf = node.conf_path.read_text().splitlines() if node.conf_path.exists() else []
        return cls((*sorted(node.ipvs().splitlines()), *sorted(thresholds), *addresses, *conf))

    def changes(self, later: NodeLines) -> list[str]:
        return [line[2:].strip() for line in ndiff(self.lines, later.lines) if line[0] in "+-"]


def is_command(remedy: str) -> bool:
    return remedy.partition(" ")[0] in COMMANDS


def check_form(finding: Finding) -> None:
    """Checks that a shell can parse a command, and that a sentence does not begin like a command."""
    if finding.id in PROSE:
        assert not is_command(finding.remedy), f"{finding.id}: {finding.remedy}"
    elif is_command(finding.remedy):
        done = subprocess.run(["sh", "-n"], input=finding.remedy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{finding.id}: {finding.remedy}\n{done.stderr}"
    assert finding.id in {*HEALS, *SHOWS, *ELSEWHERE, *PROSE}, finding.id


def run_remedy(node: Node, finding: Finding) -> list[str]:
    """Runs the remedy. ``KVTUI_YES`` confirms kvtui's plan.

    Returns:
        What is wrong: it failed, or changed more than it may.
    """
    before = NodeLines.of(node)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    state = f"KVTUI_STATE_DIR={node.folder / 'state'}"
    shell = ["env", f"PATH={path}", state, "KVTUI_YES=1", "bash", "-c", finding.remedy]
    done = run_inside(node.netns, shell, timeout=300)
    report = f"{finding.id}: {finding.remedy}\n{done.returncode}\n{done.stdout}\n{done.stderr}"
    allowed = (0, REFUSED) if finding.id in SHOWS else (0, UNVERIFIED)
    may_change = HEALS.get(finding.id, "")
    wrong = [c for c in before.changes(NodeLines.of(node)) if not may_change or not re.search(may_change, c)]
    if done.returncode not in allowed:
        return [report]
    return ["\n".join([report, "It also changed:", *wrong])] if wrong else []
