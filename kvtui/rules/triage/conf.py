"""The config file compared with the running config, and errors in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.conf import ProblemKind
from kvtui.model.finding import Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.model.units import ago
from kvtui.rules.mapping.drift import edited
from kvtui.rules.phrases import shell_word
from kvtui.rules.triage.drift import is_overwritten
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import first_of

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


def not_reloaded(observation: Observation) -> Findings:
    """The file changed, but keepalived has not reloaded it."""
    snapshot = observation.snapshot
    file, running, chosen = snapshot.conf, snapshot.running, snapshot.chosen_keepalived
    if file is None or running is None or chosen is None or not file.digest or file.digest == running.digest:
        return
    if is_overwritten(observation):  # see overwritten
        return
    texts = [d.text for d in edited(file, running)]
    written = "" if file.modified is None else f", written {ago(max(0.0, snapshot.time - file.modified))} ago,"
    owner = f"; {chosen.controller.name} writes this file" if chosen.controller else ""
    yield finding(
        "config-not-reloaded",
        Severity.WARNING,
        f"{file.path} differs from the running config",
        f"the file{written} differs from the running config of PID {chosen.pid} (conf)",
        *(first_of(texts) if texts else ("VIPs and servers are equal; global settings, checks or scripts differ",)),
        f"the next reload or restart applies the file{owner}",
        remedy="kvtui --dry-run reload  # shows the difference and tests the file; then: kvtui reload",
        about=file.path,
        vips=sorted({*file.vips()} ^ {*running.vips()}),
    )


def empty_file(observation: Observation) -> Findings:
    """A reload of an empty file removes every instance without an error (measured)."""
    file, running = observation.snapshot.conf, observation.snapshot.running
    runs = bool(running and (running.instances or running.virtual_servers)) or bool(observation.snapshot.instances)
    if file is None or file.instances or file.virtual_servers or not runs:
        return
    yield finding(
        "config-empty",
        Severity.CRITICAL,
        f"{file.path} has no vrrp_instance and no virtual_server: a reload would remove all VIPs and servers",
        f"0 instances, 0 virtual servers in {file.path} (conf)",
        "keepalived still runs the previous config",
        remedy=f"restore {shell_word(file.path)} before the next reload: kvtui journal; kubectl logs of the "
        "controller's pod",
        about=file.path,
        vips=sorted({*running.vips()}) if running else (),
    )


def missing_file(observation: Observation) -> Findings:
    """A reload without a file removes every instance too."""
    chosen, source = observation.snapshot.chosen_keepalived, observation.snapshot.source(SourceName.CONF)
    unavailable = observation.snapshot.conf is None and source.state is SourceState.UNAVAILABLE
    if chosen and unavailable and "does not exist" in source.detail:  # the source reports an unreadable file
        yield finding(
            "config-missing",
            Severity.CRITICAL,
            f"{chosen.conf} does not exist: a reload would remove every instance",
            f"{source.detail} (conf)",
            remedy=f"restore {shell_word(chosen.conf)} before the next reload",
            about=chosen.conf,
        )


def broken_file(observation: Observation) -> Findings:
    """Errors that may stop keepalived at a reload, missing includes, rejected values (keepalived#1707)."""
    file = observation.snapshot.conf
    for kind in ProblemKind:
        problems = [p for p in file.problems if p.kind is kind] if file else []
        if file and problems:
            yield finding(
                f"config-{kind.value}",
                Severity.CRITICAL if kind is ProblemKind.SYNTAX else Severity.WARNING,
                f"{file.path}: {problems[0].message}",
                *(f"{p.at}: {p.message} (conf)" for p in problems[:6]),
                remedy="kvtui --dry-run reload  # tests the file in keepalived's namespaces; do not reload before",
                about=file.path,
            )


def no_vips(observation: Observation) -> Findings:
    """Old controllers write an instance without VIPs if no Service has endpoints, and keepalived exits."""
    conf = observation.snapshot.effective_conf
    dumped_with_vips = {i.name for i in observation.snapshot.instances or () if i.vips}
    for instance in conf.instances if conf else ():
        if not instance.all_vips and instance.name not in dumped_with_vips:
            yield finding(
                "instance-without-vips",
                Severity.WARNING,
                f"Instance {instance.name} has no VIP",
                f"{instance.at}: its virtual_ipaddress is empty (conf)",
                remedy="kubectl get endpointslices -A  # keepalived-vip omits VIPs whose Service has no ready endpoint",
                about=instance.name,
            )


RULES = (
    Rule(empty_file, TRANSIENT_SECONDS),
    Rule(missing_file, TRANSIENT_SECONDS),
    Rule(broken_file, TRANSIENT_SECONDS),
    Rule(not_reloaded, ROLLOUT_SECONDS),
    Rule(no_vips, TRANSIENT_SECONDS),
)
