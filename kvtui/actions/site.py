"""Where an action takes place: this machine, or the demo. What plans read, and what carries them out, comes from here.

Plans and verifications are the same for both; only the hands differ. A ``Survey`` brings its site with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kvtui.actions.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from kvtui.actions.plan import Plan
    from kvtui.actions.step import Step
    from kvtui.actions.steps.network import Network
    from kvtui.actions.survey import Survey
    from kvtui.actions.watch import DumpWatch
    from kvtui.backend.source import SnapshotSource
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived


class Site(Protocol):
    """A world to act in. Everything but ``journal`` and ``plan`` may block."""

    @property
    def journal(self) -> Journal:
        """Where is written down what is done here."""
        ...

    def note(self) -> str | None:
        """A sentence when the journal does not outlive the pod, the machine or the demo."""
        ...

    def plan(self, plan: Plan) -> Plan:
        """The plan as it is shown to the operator."""
        ...

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps with hands that reach this world, and no other."""
        ...

    def survey(self, keepalived: Keepalived) -> Survey:
        """Everything that a reload depends on, now."""
        ...

    def text(self, keepalived: Keepalived, path: str) -> str:
        """A file of keepalived's.

        Raises:
            OSError: it cannot be read.
        """
        ...

    def obstacle(self, keepalived: Keepalived, path: str) -> str | None:
        """Why a file of keepalived's cannot be replaced; None when it can."""
        ...

    def running(self, keepalived: Keepalived) -> Conf | None:
        """The config that it runs; None when that cannot be read."""
        ...

    def mark(self, keepalived: Keepalived) -> Hashable | None:
        """What changes when it runs another config; None when that cannot be seen."""
        ...

    def runs(self, pid: int) -> bool:
        """Whether a process is there."""
        ...

    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        """What keepalived says of itself."""
        ...

    def table(self, network: Network) -> IpvsTable:
        """The IPVS table of a network namespace.

        Raises:
            StepFailed: it cannot be read.
        """
        ...

    def sysctls(self, keepalived: Keepalived | None) -> Mapping[str, int]:
        """``net.ipv4.vs.…`` by their full names.

        Raises:
            OSError: the namespace cannot be entered.
        """
        ...


class Machine:
    """This machine; see ``Site``."""

    @property
    def journal(self) -> Journal:
        """On disk."""
        return Journal()

    def note(self) -> str | None:
        """Of the folder's file system."""
        from kvtui.actions.state_folder import state_note  # noqa: PLC0415 - each of these is needed for some plans only

        return state_note(self.journal.folder)

    def plan(self, plan: Plan) -> Plan:
        """As it is."""
        return plan

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """As they are."""
        return tuple(steps)

    def survey(self, keepalived: Keepalived) -> Survey:
        """From its files and ``keepalived -t``."""
        from kvtui.actions.survey import survey  # noqa: PLC0415

        return survey(keepalived)

    def text(self, keepalived: Keepalived, path: str) -> str:
        """Through the root of its mount namespace."""
        from kvtui.backend.linux.files import read_text, resolve_inside  # noqa: PLC0415

        return read_text(resolve_inside(keepalived.root, path))

    def obstacle(self, keepalived: Keepalived, path: str) -> str | None:
        """From its mounts."""
        from kvtui.actions.steps.file import obstacle  # noqa: PLC0415

        return obstacle(keepalived.pid, path)

    def running(self, keepalived: Keepalived) -> Conf | None:
        """Its consolidated copy."""
        from kvtui.backend.conf.running import read_running  # noqa: PLC0415

        return read_running(keepalived.pid, now=0.0, config_id=keepalived.instance_name)

    def mark(self, keepalived: Keepalived) -> Hashable | None:
        """Of its consolidated copy."""
        from kvtui.backend.conf.running import mark  # noqa: PLC0415

        return mark(keepalived.pid)

    def runs(self, pid: int) -> bool:
        """By /proc; a zombie does not run."""
        from kvtui.backend.linux.process import is_running  # noqa: PLC0415

        return is_running(pid)

    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        """Asked by a signal."""
        from kvtui.actions.watch import DumpWatch  # noqa: PLC0415

        return DumpWatch(keepalived)

    def table(self, network: Network) -> IpvsTable:
        """By netlink."""
        from kvtui.actions.emptying import read_table  # noqa: PLC0415

        return read_table(network)

    def sysctls(self, keepalived: Keepalived | None) -> Mapping[str, int]:
        """Of its network namespace."""
        from kvtui.backend.linux.sysctls import read_sysctls  # noqa: PLC0415

        return read_sysctls(keepalived.pid if keepalived and keepalived.own_netns is False else None)


MACHINE = Machine()


def site_of(source: SnapshotSource) -> Site:
    """Where to act on what a source shows; a demo's journal lives in the site, so keep it.

    Args:
        source: of the snapshots that plans are made from.
    """
    from kvtui.backend.demo import Demo  # noqa: PLC0415 - pure and small, but only asked for when something is done

    if not isinstance(source, Demo):
        return MACHINE
    from kvtui.actions.demo import DemoSite  # noqa: PLC0415

    return DemoSite(source.world)
