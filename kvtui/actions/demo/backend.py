"""The demo as a ``Site``: nothing of this machine is read or changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.actions.demo.journal import MemoryJournal
from kvtui.actions.demo.steps import with_demo_hands
from kvtui.actions.plan import Grade, Remark
from kvtui.actions.survey import Survey
from kvtui.actions.watch import DumpWatch
from kvtui.backend.config_test import ConfigTest
from kvtui.backend.demo.conf_text import copied_lines

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from kvtui.actions.journal import Journal
    from kvtui.actions.plan import Plan
    from kvtui.actions.step import Step
    from kvtui.actions.steps.network import Network
    from kvtui.backend.demo.world import World
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.vrrp import VrrpInstance

NOTE = Remark(Grade.NOTE, "the demo: nothing real is changed, and its journal ends with this kvtui")
ELSEWHERE = "# on a real node: "
"""Before a command that would do the same: pasted into a shell by mistake, it does nothing."""


class DemoSite:
    """The demo's world to act in; see ``Site``.

    Args:
        world: of the demo.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._journal = MemoryJournal()

    @property
    def journal(self) -> Journal:
        """In memory, one for the site."""
        return self._journal

    def note(self) -> str | None:
        """Every plan says it, see ``plan``."""
        return None

    def plan(self, plan: Plan) -> Plan:
        """Says that it is the demo; its commands are comments, as its process IDs may be somebody else's here."""
        return replace(
            plan, remarks=(*plan.remarks, NOTE), by_hand=tuple(f"{ELSEWHERE}{command}" for command in plan.by_hand)
        )

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """With the demo's hands."""
        return tuple(with_demo_hands(step, self._world) for step in steps)

    def survey(self, keepalived: Keepalived) -> Survey:
        """The demo's config, which passes every test."""
        world = self._world
        return Survey(
            keepalived=keepalived,
            conf=world.conf,
            running=world.running,
            saved_lines=copied_lines(world.deeds.saved),
            running_lines=copied_lines(world.deeds.run),
            test=ConfigTest(0),
            at=world.epoch + world.now,
            site=self,
        )

    def text(self, keepalived: Keepalived, path: str) -> str:
        """A file of the demo's."""
        del keepalived
        return self._world.read(path)

    def obstacle(self, keepalived: Keepalived, path: str) -> str | None:
        """There is none."""
        del keepalived, path
        return None

    def running(self, keepalived: Keepalived) -> Conf | None:
        """What the demo's keepalived runs."""
        del keepalived
        return self._world.running

    def mark(self, keepalived: Keepalived) -> Hashable | None:
        """How often it read its config."""
        del keepalived
        return self._world.deeds.reloads

    def runs(self, pid: int) -> bool:
        """The demo's processes do."""
        del pid
        return True

    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        """What the demo's keepalived says."""
        del keepalived
        return DemoDumps(self._world)

    def table(self, network: Network) -> IpvsTable:
        """The demo's."""
        del network
        return self._world.table()

    def sysctls(self, keepalived: Keepalived | None) -> Mapping[str, int]:
        """The demo's."""
        del keepalived
        return {f"net.ipv4.vs.{name}": value for name, value in self._world.deeds.sysctls.items()}


class DemoDumps(DumpWatch):
    """The demo's keepalived, which always answers and never ends."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.trouble = ""

    def _read(self) -> tuple[VrrpInstance, ...] | None:
        return self._world.instances()

    def ended(self) -> bool:
        """Never."""
        return False
