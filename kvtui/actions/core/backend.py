"""What an action needs of the node it acts on. Implemented by ``live.LiveBackend`` and ``demo.DemoBackend``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kvtui.actions.core.preflight import Preflight, Scope
from kvtui.actions.core.trial import CheckBackend, Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from kvtui.actions.core.daemon import Daemon
    from kvtui.actions.core.journal import Journal
    from kvtui.actions.core.network import Network
    from kvtui.actions.core.plan import Plan
    from kvtui.actions.core.step import Json, Step
    from kvtui.actions.core.watch import DumpWatch
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.log import LogTail


class ActionBackend(CheckBackend, Protocol):
    """A node to act on. Every method but ``plan`` may block."""

    trials: Trials
    ran: list[str]
    """What was run of keepalived's own programs to make plans, for an operator: config tests and checks."""

    @property
    def journal(self) -> Journal: ...

    def journal_note(self) -> str | None:
        """Returns a warning when the journal does not outlive the pod or the machine."""

    def plan(self, plan: Plan) -> Plan: ...

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]: ...

    def temp_file_steps(self, steps: Iterable[Json]) -> tuple[Step, ...]:
        """Returns the steps that remove temp files which interrupted writes of these journaled steps left."""

    def run_preflight(self, keepalived: Keepalived, *, force: bool = False, scope: Scope = Scope.COMPARED) -> Preflight:
        """Reads what a reload depends on, and tests the config; ``force`` as in ``config_test.run``."""

    def text(self, keepalived: Keepalived, path: str) -> str: ...

    def obstacle(self, keepalived: Keepalived, path: str) -> str | None:
        """Returns why a file of keepalived's cannot be replaced; None when it can."""

    def running_conf(self, keepalived: Keepalived) -> Conf | None: ...

    def kept_config(self, keepalived: Keepalived, ran: str, newer: str, is_sent: Callable[[], bool]) -> Step | None:
        """Returns the step that keeps the running config for an undo; None where that is not possible.

        ``is_sent``: whether the signal for the newer config was sent.
        """

    def conf_generation(self, keepalived: Keepalived) -> Hashable | None:
        """Returns a value that changes when keepalived loads a config; None when unknown."""

    def log(self, keepalived: Keepalived) -> LogTail:
        """Returns the end of its log, which names nodes that are silent now."""

    def is_running(self, pid: int) -> bool: ...

    def dumps(self, keepalived: Keepalived) -> DumpWatch: ...

    def table(self, network: Network) -> IpvsTable:
        """Reads the IPVS table of a network namespace; raises StepError."""

    def addresses(self, daemon: Daemon) -> frozenset[tuple[str, str, int]]:
        """Returns interface, address and prefix length of all addresses in its network namespace.

        Raises StepError when the keepalived is gone, OSError when they cannot be read.
        """

    def sysctls(self, keepalived: Keepalived | None) -> Mapping[str, int]:
        """Reads ``net.ipv4.vs.*``, by full name; raises OSError when the namespace cannot be entered."""
