"""The demo with a clock that a test sets: a wait advances the clock, and nothing sleeps."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kvtui.actions.backends import backend_for
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.runner import Runner
from kvtui.actions.registry import plan
from kvtui.backend.demo import Demo
from kvtui.rules.observe import observe

if TYPE_CHECKING:
    import pytest

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.plan import ActionKind
    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.model.ipvs import RealServer, ServiceKey
    from kvtui.model.observation import InstanceView, Observation

EPOCH = 1_700_000_000.0
MODULES = ("core.watch", "priority.verifier", "failover.verifier", "core.journal", "core.runner")
"""The modules of ``kvtui.actions`` that read a clock when they act on the demo."""


@dataclass
class Clock:
    """Replaces the module ``time``."""

    now: float = EPOCH

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclass
class Stage:
    """The demo, its backend, and the progress lines of its actions."""

    clock: Clock
    demo: Demo
    progress: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = backend_for(self.demo)

    async def see(self) -> Observation:
        return observe(await self.demo.read())

    async def plan(self, kind: ActionKind, target: str = "", **options: Any) -> Action:
        return await plan(Intent(kind, target, **options), await self.see(), self.see, self.backend)

    async def run(self, action: Action, *, force: bool = False, read_only: bool = False) -> Outcome:
        runner = Runner(self.backend.journal, read_only=read_only, progress=self.progress.append)
        return await runner.run(action, force=force, reason="to learn")

    async def do(self, kind: ActionKind, target: str = "", **options: Any) -> Outcome:
        return await self.run(await self.plan(kind, target, **options))

    async def instance(self, name: str = "vips") -> InstanceView:
        return next(i for i in (await self.see()).vrrp_instances or () if i.name == name)

    async def held(self) -> set[str]:
        """Returns the VIPs on an interface of this node."""
        return {v.address for v in (await self.see()).vips or () if v.present}

    def real(self, service: ServiceKey, key: tuple[str, int]) -> RealServer:
        table = self.demo.world.table()
        return next(r for v in table.virtual_servers if v.key == service for r in v.real_servers if r.key == key)

    def entries(self) -> tuple[Entry, ...]:
        return self.backend.journal.entries()

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds


def stage(patch: pytest.MonkeyPatch, at: float = 5.0) -> Stage:
    """Returns the demo after ``at`` seconds."""
    clock = Clock()
    really = asyncio.sleep

    async def sleep(seconds: float, *_: object) -> None:
        clock.now += seconds
        await really(0)

    patch.setattr(asyncio, "sleep", sleep)
    for name in MODULES:
        patch.setattr(f"kvtui.actions.{name}.time", clock)
    made = Stage(clock, Demo(clock=clock.time))
    made.wait(at)
    return made


class AuditRecorder:
    """Records what would reach the real node: an audit hook (PEP 578) that is switched on for a while."""

    EVENTS = frozenset({
        "os.kill", "os.killpg", "signal.pthread_kill", "socket.__new__", "subprocess.Popen", "os.exec", "os.fork",
        "os.posix_spawn", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.setxattr",
        "ctypes.dlopen",
    })  # fmt: skip
    WRITING = 0o3 | 0o100 | 0o1000  # O_WRONLY | O_RDWR, O_CREAT, O_TRUNC

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, details: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in self.EVENTS or (event == "open" and details[2] & self.WRITING):
            self.seen.append(f"{event} {details}")
