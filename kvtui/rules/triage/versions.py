"""Bugs of keepalived versions; reported only if the config uses the affected feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Severity
from kvtui.model.keepalived import Version, parse_version
from kvtui.rules.triage.rule import Findings, Rule, finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation


class Bug(Struct, frozen=True):
    """A bug of the versions from ``first`` on, before ``fixed``, in configs that use what it affects."""

    name: str
    first: Version
    fixed: Version
    uses: Callable[[Conf], bool]
    what: str
    source: str


def _unicast_v3(conf: Conf) -> bool:
    third = conf.globals.get("vrrp_version", "").strip() == "3"
    return any(i.unicast_peers and (i.version == 3 or (i.version is None and third)) for i in conf.instances)


BUGS = (
    Bug(
        "weight 0",
        (2, 1, 0),
        (2, 1, 6),
        lambda conf: any(r.weight == 0 for v in conf.virtual_servers for r in v.real_servers),
        'turns a configured "weight 0" into 1: the real server accepts connections',
        "measured with 2.1.5",
    ),
    Bug(
        "persistence",
        (2, 0, 20),
        (2, 0, 21),
        lambda conf: any(v.persistence_timeout for v in conf.virtual_servers),
        "does not apply a changed persistence_timeout at a reload",
        "acassen/keepalived#1542",
    ),
    Bug(
        "v3 checksum",
        (1, 2, 0),
        (1, 3, 6),
        _unicast_v3,
        "computes the checksum of unicast VRRP 3 adverts with the multicast address: newer peers reject them",
        "contrib#2909",
    ),
)


def known_bug(observation: Observation) -> Findings:
    """The running version has a bug in a feature that the config uses."""
    chosen = observation.snapshot.chosen_keepalived
    conf = observation.snapshot.effective_conf
    version = parse_version(chosen.version) if chosen and chosen.version else None
    if chosen is None or conf is None or version is None:
        return
    for bug in BUGS:
        if bug.first <= version < bug.fixed and bug.uses(conf):
            yield finding(
                "version-fault",
                Severity.WARNING,
                f"keepalived {chosen.version} {bug.what}",
                f"PID {chosen.pid} is keepalived {chosen.version} (processes)",
                f"{conf.path} uses the affected feature (conf)",
                f"reference: {bug.source}",
                remedy=f"upgrade to keepalived {'.'.join(str(n) for n in bug.fixed)} or newer",
                about=f"keepalived {chosen.version}: {bug.name}",
            )


RULES = (Rule(known_bug),)
