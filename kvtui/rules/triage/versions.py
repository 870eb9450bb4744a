"""Faults of keepalived's versions, told only where the config uses what is faulty."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Finding, Severity
from kvtui.rules.triage.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory

Version = tuple[int, ...]


class Fault(Struct, frozen=True):
    """One fault.

    Attributes:
        name: in the finding's object.
        first: the first version that has it.
        fixed: the first one that does not.
        uses: whether a config uses what is faulty.
        what: in a sentence.
        source: who says so.
    """

    name: str
    first: Version
    fixed: Version
    uses: Callable[[Conf], bool]
    what: str
    source: str


def _weight_zero(conf: Conf) -> bool:
    return any(r.weight == 0 for v in conf.virtual_servers for r in v.real_servers)


def _persistent(conf: Conf) -> bool:
    return any(v.persistence_timeout for v in conf.virtual_servers)


def _unicast_v3(conf: Conf) -> bool:
    third = conf.globals.get("vrrp_version", "").strip() == "3"
    return any(i.unicast_peers and (i.version == 3 or (i.version is None and third)) for i in conf.instances)


FAULTS = (
    Fault(
        "weight 0",
        (2, 1, 0),
        (2, 1, 6),
        _weight_zero,
        "turns a configured «weight 0» into 1: the real server takes connections",
        "measured with 2.1.5",
    ),
    Fault(
        "persistence",
        (2, 0, 20),
        (2, 0, 21),
        _persistent,
        "does not apply a changed persistence_timeout at a reload",
        "acassen/keepalived#1542",
    ),
    Fault(
        "v3 checksum",
        (1, 2, 0),
        (1, 3, 6),
        _unicast_v3,
        "computes the checksum of unicast VRRP 3 adverts over the multicast group: newer peers reject them",
        "contrib#2909",
    ),
)


def known_fault(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The version that runs has a fault in something that its config uses."""
    chosen = seen.snapshot.chosen_keepalived
    conf = seen.snapshot.running or seen.snapshot.conf
    version = parsed(chosen.version) if chosen and chosen.version else None
    if chosen is None or conf is None or version is None:
        return
    for fault in FAULTS:
        if not fault.first <= version < fault.fixed or not fault.uses(conf):
            continue
        yield Finding(
            "version-fault",
            Severity.WARNING,
            f"keepalived {chosen.version} {fault.what}",
            (
                f"PID {chosen.pid} is keepalived {chosen.version} (processes)",
                f"{conf.path} uses it (conf)",
                f"known from {fault.source}",
            ),
            f"run keepalived {'.'.join(str(n) for n in fault.fixed)} or newer",
            f"keepalived {chosen.version}: {fault.name}",
        )


def parsed(text: str) -> Version | None:
    """``2.1.5`` as numbers; None for what is no version."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", text)
    return tuple(int(n or 0) for n in found.groups()) if found else None


RULES = (Rule(known_fault),)
