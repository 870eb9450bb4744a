"""Acting on the demo: nothing of this machine is read or changed."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.journal import Journal, JournalLockedError
from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.actions.core.preflight import Preflight, Scope
from kvtui.actions.core.trial import Trials
from kvtui.actions.core.watch import DumpWatch
from kvtui.actions.demo.steps import demo_step
from kvtui.backend.checks.runner import Prospect
from kvtui.backend.config_test import ConfigTest
from kvtui.backend.demo.conf_text import copied_lines
from kvtui.backend.demo.services import FAILING
from kvtui.backend.demo.story import scene
from kvtui.model.check import CheckResult
from kvtui.model.ipvs import endpoint
from kvtui.model.log import LogTail

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from kvtui.actions.core.daemon import Daemon
    from kvtui.actions.core.network import Network
    from kvtui.actions.core.plan import Plan
    from kvtui.actions.core.step import Json, Step
    from kvtui.backend.demo.source import World
    from kvtui.model.check import Check
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import VrrpInstance

NOTE = Note(NoteSeverity.NOTE, "this is the demo: nothing real is changed, and its journal ends with this kvtui")
ELSEWHERE = "# on a real node: "
"""Before a command that would do the same: pasted into a shell by mistake, it does nothing."""


class DemoBackend:
    """The demo's world to act in; see ``ActionBackend``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.journal: Journal = MemoryJournal()
        self.trials = Trials()
        self.ran: list[str] = []

    def journal_note(self) -> str | None:
        return None  # see ``plan``

    def plan(self, plan: Plan) -> Plan:
        """Adds that this is the demo; comments out the commands, whose process IDs may belong to others here."""
        commands = tuple(f"{ELSEWHERE}{command}" for command in plan.equivalent_commands)
        return replace(plan, notes=(*plan.notes, NOTE), equivalent_commands=commands)

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(demo_step(step, self._world) for step in steps)

    def temp_file_steps(self, _steps: Iterable[Json]) -> tuple[Step, ...]:
        return ()

    def run_preflight(self, keepalived: Keepalived, *, force: bool = False, scope: Scope = Scope.COMPARED) -> Preflight:
        del force, scope
        world = self._world
        return Preflight(
            keepalived=keepalived,
            conf=world.conf,
            running=world.running,
            saved_lines=copied_lines(world.changes.saved),
            running_lines=copied_lines(world.changes.run),
            test=ConfigTest(0),
        )

    def text(self, _keepalived: Keepalived, path: str) -> str:
        return self._world.read(path)

    def obstacle(self, _keepalived: Keepalived, _path: str) -> str | None:
        return None

    def prospect(self, _keepalived: Keepalived, check: Check, _settings: Mapping[str, str]) -> Prospect:
        return Prospect(check)

    async def run_check(self, _keepalived: Keepalived, prospect: Prospect) -> CheckResult:
        """Passes where the demo's server is up."""
        down = scene(self._world.now).check_fails and prospect.check.name == endpoint(*FAILING)
        detail = "the demo's server does not answer" if down else "the demo's server answers"
        return CheckResult(prospect.check, not down, detail)

    def running_conf(self, _keepalived: Keepalived) -> Conf | None:
        return self._world.running

    def kept_config(self, _keepalived: Keepalived, _ran: str, _newer: str, _is_sent: Callable[[], bool]) -> Step | None:
        return None  # the demo's file has one writer, and no undo of a reload

    def conf_generation(self, _keepalived: Keepalived) -> Hashable | None:
        return self._world.changes.reloads

    def log(self, _keepalived: Keepalived) -> LogTail:
        return LogTail()

    def is_running(self, _pid: int) -> bool:
        return True

    def dumps(self, _keepalived: Keepalived) -> DumpWatch:
        return DemoDumps(self._world)

    def table(self, _network: Network) -> IpvsTable:
        return self._world.table()

    def addresses(self, _daemon: Daemon) -> frozenset[tuple[str, str, int]]:
        return self._world.addresses()

    def sysctls(self, _keepalived: Keepalived | None) -> Mapping[str, int]:
        return {f"net.ipv4.vs.{name}": value for name, value in self._world.changes.sysctls.items()}


class DemoDumps(DumpWatch):
    """The demo's keepalived, which always answers and never ends."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.error = ""

    def _read(self) -> tuple[VrrpInstance, ...] | None:
        return self._world.instances()

    def ended(self) -> bool:
        return False


class MemoryJournal(Journal):
    """Ends with kvtui, so that nothing is left of the demo."""

    def __init__(self) -> None:
        super().__init__(Path("the demo's memory"))
        self._lines: list[str] = []
        self._held = ""

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        if self._held:
            raise JournalLockedError(f'"{self._held}" is running on the demo; try again when it is done')
        self._held, self._mine = what or "something", True
        try:
            yield
        finally:
            self._held, self._mine, self._carried_out = "", False, None

    def busy(self) -> bool:
        return self._mine

    def _append(self, event: Json) -> None:
        self._lines.append(json.dumps(event))

    def _text(self) -> str:
        return "\n".join(self._lines)
