"""Removes a VIP from its interface, so that keepalived itself steps down (2.0.0+; 0.65 s, measured)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon, JournaledFields
from kvtui.actions.core.step import StepError, StepState
from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.requester import DumpRequester
from kvtui.backend.linux.namespaces import open_in_network

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

TIMEOUT = 5.0
"""Seconds until keepalived must say that the lower priority counts."""
PAUSE = 0.1


class RemoveAddress(JournaledFields, Struct):
    """A step: ``ip addr del``, once keepalived says that the instance's new priority counts.

    Before that, the node would step down and win again (0.61 s, measured). There is nothing to undo: a keepalived that
    becomes master puts its VIPs on by itself, and one that is not must not have them.

    Attributes:
        priority: that must count first.
        undone: it was undone, whether keepalived adds the address again or not.
    """

    kind: ClassVar[str] = "address"
    journaled_fields = ("daemon", "instance", "priority", "address", "prefixlen", "interface")

    daemon: Daemon
    instance: str
    priority: int
    address: str
    prefixlen: int
    interface: str
    removed_at: float | None = None
    undone: bool = False

    def describe(self) -> str:
        return f"remove {self.address}/{self.prefixlen} from {self.interface}, so that keepalived steps down"

    def describe_undo(self) -> str:
        return ""

    def why_not_ours(self) -> str:
        return self.daemon.why_not_its_address(self.address)

    def state(self) -> StepState:
        is_there = self.undone or self._inside(self.daemon.found(), remove=False)
        return StepState.PENDING if is_there else StepState.APPLIED

    def do(self) -> None:
        keepalived = self.daemon.found()
        self._wait_for_priority(keepalived)
        self._inside(keepalived, remove=True)
        self.removed_at, self.undone = time.time(), False

    def undo(self) -> None:
        self.undone = True

    def _wait_for_priority(self, keepalived: Keepalived) -> None:
        """Where keepalived cannot be asked, its reload has long been over: 110 ms for the slowest one measured."""
        deadline = time.monotonic() + TIMEOUT
        dumper = DumpRequester(keepalived)
        while True:
            try:
                instances = dumper.read(time.time()).instances
            except DumpError:
                return
            if any(i.name == self.instance and i.base_priority == self.priority for i in instances):
                return
            if time.monotonic() > deadline:
                raise StepError(
                    f"keepalived did not apply priority {self.priority} of {self.instance} within {TIMEOUT:g} s: "
                    "its VIP was not removed"
                )
            time.sleep(PAUSE)

    def _inside(self, keepalived: Keepalived, *, remove: bool) -> bool:
        """Whether the address is there; then it is removed if asked for."""
        from kvtui.backend.route.sockets import RtnetlinkError, has_address, remove_address  # noqa: PLC0415 - heavy

        act = remove_address if remove else has_address
        try:
            return open_in_network(keepalived.pid, lambda: act(self.interface, self.address, self.prefixlen))
        except RtnetlinkError as error:
            raise StepError(f"{self.address} cannot be removed from {self.interface}: {error.strerror}") from error
        except OSError as error:
            raise StepError(f"the addresses of keepalived {keepalived.pid} cannot be reached: {error}") from error
