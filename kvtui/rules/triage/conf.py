"""The config file beside the config that runs, and what is wrong with the file itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.conf import ProblemKind
from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.model.units import ago
from kvtui.rules.mapping.drift import edited
from kvtui.rules.triage.drift import MOST, is_overwritten
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory


def not_reloaded(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The file was edited, keepalived still runs what it read before."""
    file, running, chosen = seen.snapshot.conf, seen.snapshot.running, seen.snapshot.chosen_keepalived
    if file is None or running is None or chosen is None or not file.digest or file.digest == running.digest:
        return
    if is_overwritten(seen):  # which says more
        return
    found = edited(file, running)
    written = "" if file.modified is None else f", written {ago(max(0.0, seen.snapshot.time - file.modified))} ago"
    owner = f"; {chosen.controller.name} owns this file" if chosen.controller else ""
    yield Finding(
        "config-not-reloaded",
        Severity.WARNING,
        f"{file.path} is not what keepalived runs",
        (
            f"the file{written}, differs from the running config of PID {chosen.pid} (conf)",
            *(
                (d.text for d in found[:MOST])
                if found
                else ("VIPs and servers are the same: globals, checks or scripts",)
            ),
            *((f"and {len(found) - MOST} more",) if len(found) > MOST else ()),
            f"the next SIGHUP or restart makes it so{owner}",
        ),
        "kvtui --dry-run reload  # shows the difference, tests it; then: kvtui reload",
        file.path,
        tuple(sorted(_vips(file) ^ _vips(running))),
    )


def _vips(conf: Conf) -> set[str]:
    return {v.address for i in conf.instances for v in i.vips}


def empty_file(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A reload of such a file removes every instance silently (measured)."""
    file, running = seen.snapshot.conf, seen.snapshot.running
    before = running or None
    has = bool(before and (before.instances or before.virtual_servers)) or bool(seen.snapshot.instances)
    if file is None or file.instances or file.virtual_servers or not has:
        return
    yield Finding(
        "config-empty",
        Severity.CRITICAL,
        f"{file.path} has no vrrp_instance and no virtual_server: a reload would remove all that runs",
        (f"0 instances, 0 virtual servers in {file.path} (conf)", "keepalived still runs what it read before"),
        f"restore {quoted(file.path)} before anybody reloads: kvtui journal; kubectl logs of the controller's pod",
        file.path,
        tuple(sorted(_vips(before))) if before else (),
    )


def missing_file(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The same without a file at all."""
    chosen, source = seen.snapshot.chosen_keepalived, seen.snapshot.source(SourceName.CONF)
    if chosen is None or seen.snapshot.conf is not None or source.state is not SourceState.UNAVAILABLE:
        return
    if "does not exist" not in source.detail:  # unreadable is no finding but a missing right
        return
    yield Finding(
        "config-missing",
        Severity.CRITICAL,
        f"{chosen.conf} does not exist: a reload would remove every instance",
        (f"{source.detail} (conf)",),
        f"restore {quoted(chosen.conf)} before anybody reloads",
        chosen.conf,
    )


def broken_file(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Syntax that may kill keepalived at the next reload, includes that are gone, values that it rejects."""
    file = seen.snapshot.conf
    for kind in ProblemKind:
        problems = [p for p in file.problems if p.kind is kind] if file else []
        if not problems or file is None:
            continue
        deadly = kind is ProblemKind.SYNTAX
        yield Finding(
            f"config-{kind.value}",
            Severity.CRITICAL if deadly else Severity.WARNING,
            f"{file.path}: {problems[0].message}",
            tuple(f"{p.at}: {p.message} (conf)" for p in problems[:6]),
            "kvtui --dry-run reload  # tests it inside keepalived's namespaces; do not send SIGHUP before",
            file.path,
        )


def no_vips(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """An instance without VIPs: old controllers write it when no Service has endpoints, and keepalived exits."""
    conf = seen.snapshot.running or seen.snapshot.conf
    for instance in conf.instances if conf else ():
        if instance.vips or instance.excluded_vips:
            continue
        yield Finding(
            "instance-without-vips",
            Severity.WARNING,
            f"Instance {instance.name} has no VIP",
            (f"{instance.at}: its virtual_ipaddress is empty (conf)",),
            "kubectl get endpointslices -A  # keepalived-vip leaves out VIPs whose Service has no ready endpoint",
            instance.name,
        )


RULES = (
    Rule(empty_file, PASSING),
    Rule(missing_file, PASSING),
    Rule(broken_file, PASSING),
    Rule(not_reloaded, ROLLOUT),
    Rule(no_vips, PASSING),
)
