"""The layers of one keepalived process: its config, its dumps and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.backend.node.guard import SourceGuard
from kvtui.backend.node.vrrp_layer import VrrpLayer
from kvtui.model.log import LogTail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.backend.keepalived.log import LogReader
    from kvtui.model.keepalived import Keepalived


class DaemonLayers:
    """Everything that was read of one keepalived, and is void for another.

    ``before`` is of the process that was chosen before: what is still true of this one is kept. The other arguments as
    in ``VrrpLayer`` and ``SourceGuard``.
    """

    def __init__(
        self,
        keepalived: Keepalived | None,
        *,
        signals: bool,
        changed: Callable[[], None],
        state_folder: Path | None,
        before: DaemonLayers | None = None,
    ) -> None:
        self.of = keepalived
        self.conf = ConfLayer(keepalived)
        self.conf_guard = SourceGuard("the config", state_folder)
        guard = SourceGuard("keepalived's dump", state_folder)
        self.vrrp = VrrpLayer(keepalived, signals=signals, changed=changed, guard=guard, read_log=self.read_log)
        self._may_run_vrrp = keepalived is not None and parse_arguments(keepalived.argv).vrrp
        self.log: LogReader | None = None
        if before is not None and keepalived is None:
            self.conf, self.log = before.conf, before.log  # which VIPs it may have left behind, and why it ended
            self.conf.mark_gone()
        elif before and before.of and keepalived and before.of.identity == keepalived.identity:
            self.log = before.log
            if conf_facts(before.of) == conf_facts(keepalived):
                self.conf, self.conf_guard = before.conf, before.conf_guard
            if dump_facts(before.of) == dump_facts(keepalived):
                self.vrrp = before.vrrp

    def is_of(self, keepalived: Keepalived | None) -> bool:
        """Whether all that was read is still about this process, its children and its files."""
        if keepalived is None or self.of is None:
            return keepalived is self.of
        old, new = self.of, keepalived
        return (old.identity, conf_facts(old), dump_facts(old)) == (new.identity, conf_facts(new), dump_facts(new))

    def read(self, now: float) -> None:
        """Reads the config; blocks."""
        self.conf.read(now)
        conf = self.conf.running or self.conf.file
        self.vrrp.expects_instances = self._may_run_vrrp and conf is not None and bool(conf.instances)

    def read_log(self) -> LogTail:
        """Returns the end of its log, which stays after the process ended. Blocks."""
        from kvtui.backend.keepalived.log import LogReader  # noqa: PLC0415 - only the log's view needs it

        if self.log is None and self.of is not None:
            self.log = LogReader(self.of)
        return self.log.read() if self.log else LogTail(error="no keepalived was found")


def conf_facts(keepalived: Keepalived) -> tuple[object, ...]:
    return (keepalived.conf, keepalived.root, keepalived.config_id)


def dump_facts(keepalived: Keepalived) -> tuple[object, ...]:
    return (keepalived.children, keepalived.tmpdir, keepalived.root, keepalived.uid, keepalived.dumps_json)
