# Imports inside methods: each is needed by some actions only, and the dialog of an action opens without delay.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.preflight import Preflight, Scope, run_preflight
from kvtui.actions.core.trial import Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from kvtui.actions.core.daemon import Daemon
    from kvtui.actions.core.network import Network
    from kvtui.actions.core.plan import Plan
    from kvtui.actions.core.step import Json, Step
    from kvtui.actions.core.watch import DumpWatch
    from kvtui.backend.checks.runner import Prospect
    from kvtui.backend.keepalived.log import LogReader
    from kvtui.model.check import Check, CheckResult
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.log import LogTail


class LiveBackend:
    """This machine: its files, its kernel and its processes; see ``ActionBackend``."""

    def __init__(self) -> None:
        self.trials = Trials()
        self.ran: list[str] = []
        self._logs: dict[tuple[int, int], LogReader] = {}

    @property
    def journal(self) -> Journal:
        return Journal()

    def journal_note(self) -> str | None:
        from kvtui.actions.core.state_folder import state_note

        return state_note(self.journal.folder)

    def plan(self, plan: Plan) -> Plan:
        return plan

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(steps)

    def temp_file_steps(self, steps: Iterable[Json]) -> tuple[Step, ...]:
        from kvtui.actions.steps.file import temp_file_steps

        return tuple(temp_file_steps(steps))

    def run_preflight(self, keepalived: Keepalived, *, force: bool = False, scope: Scope = Scope.COMPARED) -> Preflight:
        found = run_preflight(keepalived, force=force, scope=scope)
        if found.test is not None:
            self.ran.append(found.test.ran)
        return found

    def text(self, keepalived: Keepalived, path: str) -> str:
        from kvtui.backend.linux.files import read_text

        return read_text(path, root=keepalived.root)

    def obstacle(self, keepalived: Keepalived, path: str) -> str | None:
        from kvtui.actions.core.obstacle import obstacle

        return obstacle(keepalived.pid, path)

    def running_conf(self, keepalived: Keepalived) -> Conf | None:
        from kvtui.backend.conf.copies import read_running

        return read_running(keepalived.pid, now=0.0, config_id=keepalived.config_id)

    def kept_config(self, keepalived: Keepalived, ran: str, newer: str, is_sent: Callable[[], bool]) -> Step | None:
        from kvtui.actions.core.daemon import Daemon
        from kvtui.actions.steps.kept_config import KeepConfig

        return KeepConfig(Daemon.of(keepalived), ran, newer, is_sent)

    def conf_generation(self, keepalived: Keepalived) -> Hashable | None:
        from kvtui.backend.conf.copies import mark

        return mark(keepalived.pid)

    def log(self, keepalived: Keepalived) -> LogTail:
        from kvtui.backend.keepalived.log import LogReader

        key = (keepalived.pid, keepalived.start_ticks)
        if key not in self._logs:
            self._logs = {key: LogReader(keepalived)}  # it reads on from where it was
        return self._logs[key].read()

    def is_running(self, pid: int) -> bool:
        from kvtui.backend.linux.process import is_running

        return is_running(pid)

    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        from kvtui.actions.core.watch import DumpWatch

        return DumpWatch(keepalived)

    def table(self, network: Network) -> IpvsTable:
        from kvtui.actions.core.network import read_table

        return read_table(network)

    def prospect(self, keepalived: Keepalived, check: Check, settings: Mapping[str, str]) -> Prospect:
        from kvtui.backend.checks.runner import prospect_of

        return prospect_of(keepalived, check, settings)

    async def run_check(self, keepalived: Keepalived, prospect: Prospect) -> CheckResult:
        from kvtui.backend.checks.runner import run_check

        self.ran.append(prospect.check.title)
        return await run_check(keepalived, prospect)

    def addresses(self, daemon: Daemon) -> frozenset[tuple[str, str, int]]:
        from kvtui.backend.linux.namespaces import open_in_network
        from kvtui.backend.route.sockets import read_addresses

        return open_in_network(daemon.found().pid, read_addresses)

    def sysctls(self, keepalived: Keepalived | None) -> Mapping[str, int]:
        from kvtui.backend.linux.sysctls import read_sysctls

        return read_sysctls(keepalived.pid if keepalived and keepalived.own_netns is False else None)


LIVE = LiveBackend()
