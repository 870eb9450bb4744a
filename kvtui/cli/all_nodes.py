"""Actions over several nodes: planned on all of them first; then all done, or all put back.

Each node's own kvtui plans, applies, verifies and journals its part. The reason in each journal begins with one id.
Each holds what it did until the commit (``backend.remote.command``): when this kvtui ends before, however it ends,
every node puts back by itself.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.runner import ExitCode
from kvtui.backend.remote.command import COORDINATED, Answer, HeldCommands, run_command
from kvtui.backend.remote.reach import ACTION_CONNECT_TIMEOUT
from kvtui.cli.act import agreed
from kvtui.cli.output import encode, info, write_soon
from kvtui.cluster_observer import ClusterObserver
from kvtui.model.cluster import ClusterView, NodeState
from kvtui.model.text import plain
from kvtui.presenters.action_document import NodesOutcome
from kvtui.presenters.cluster import NO_HOSTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from kvtui.cli.invocation import Invocation
    from kvtui.model.cluster import ClusterRouter, RouterMember

LOOK_SECONDS = 150.0
"""For all nodes to answer before kvtui plans: longer than the timeout of a connection."""
QUIET_SECONDS = 5.0
"""Until kvtui says what it waits for."""
PLAN_SECONDS = 300.0
"""For a node to plan its part, which includes tests of its config and checks."""
VERIFY_SECONDS = 60.0
"""For an election to end as planned."""
PUT_BACK_SECONDS = 60.0
"""For the nodes to put back and to answer, or to answer the commit; then kvtui reads their journals."""
FIND_ATTEMPTS, FIND_PAUSE = 10, 1.0
"""Attempts, and the seconds between them, to read the result of a node's part in its journal."""
MAX_PRIORITY = 254
"""255 is that of the owner of the addresses."""


class NodePart(Struct, frozen=True):
    """What one node does: the command of its kvtui; ``options`` are global ones, before the command."""

    node: str
    words: tuple[str, ...]
    options: tuple[str, ...] = ()


class RefusedError(Exception):
    """Nothing was done; the text says why."""


class _FailedError(Exception):
    """A part failed: all is put back."""


class _DryRun(Exception):  # noqa: N818 - no error
    """The plan was shown, and nothing more was wanted."""


class AllNodes:
    """One action over several nodes; ``id`` is in the reason of each journal's entry."""

    def __init__(self, invocation: Invocation) -> None:
        self.id = f"cluster-{secrets.token_hex(3)}"
        self._invocation = invocation
        self._settings = invocation.cluster
        self._reason = f"[{self.id}] {invocation.reason}".rstrip()
        self._observer: ClusterObserver | None = None
        self._held: HeldCommands | None = None
        self._begun: list[NodePart] = []
        self.results: dict[str, dict[str, Any] | None] = {}
        """Node → the document of its part, also of a plan."""

    def run(self, act: Callable[[AllNodes], Awaitable[str]]) -> ExitCode:
        """Runs the action, and prints how it ended."""
        code, text = asyncio.run(self._run(act))
        info(text)
        if not self._invocation.form.is_text:
            # the nodes' documents as they came: another kvtui may have more members
            document = {"id": self.id, "outcome": NodesOutcome(int(code), text), "nodes": self.results}
            write_soon(encode(document, self._invocation.form))
        return code

    async def _run(self, act: Callable[[AllNodes], Awaitable[str]]) -> tuple[ExitCode, str]:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        try:
            text = await act(self)
            await self._commit()
        except _DryRun:
            return ExitCode.DONE, "dry run: nothing was written on any node"
        except RefusedError as error:
            return ExitCode.REFUSED, f"refused: {error}; nothing was done on any node"
        except _FailedError as error:
            left = await self._put_back()
            return ExitCode.FAILED, f"{error}; {left or 'all that was done is put back'}  (in each journal: {self.id})"
        except asyncio.CancelledError:
            left = await self._put_back()
            return ExitCode.INTERRUPTED, f"interrupted; {left or 'all that was done is put back'}"
        else:
            return ExitCode.DONE, f"{text}  (in each journal: {self.id})"
        finally:
            if self._held is not None:
                await self._held.close()
            await self._stop_looking()

    async def _commit(self) -> None:
        """Makes what was done final on all nodes, or raises ``_FailedError``."""
        if self._held is not None and (missed := self._take(await self._held.commit(PUT_BACK_SECONDS), _detail)):
            raise _FailedError("; ".join(missed))

    async def view(self, done: Callable[[ClusterView], bool], seconds: float) -> ClusterView:
        """Returns the first view that is ``done``, or the last one when the time is over."""
        if not self._settings.hosts:
            raise RefusedError(NO_HOSTS)
        if self._observer is None:
            self._observer = ClusterObserver(self._settings, ACTION_CONNECT_TIMEOUT)
            self._observer.start()
        observer, loop = self._observer, asyncio.get_running_loop()
        began, is_announced = loop.time(), False
        while not done(view := observer.view()) and loop.time() < began + seconds:
            if not is_announced and loop.time() > began + QUIET_SECONDS:
                is_announced = True
                late = [plain(n.name) for n in view.nodes if n.state in {NodeState.CONNECTING, NodeState.LATE}]
                what = f"an answer of {', '.join(late)}" if late else "all nodes to show it"
                info(f"waiting for up to {seconds:.0f} s for {what}")
            observer.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(observer.changed.wait(), 1.0)
        self._settings = observer.settings  # where the pods are now
        return view

    async def _stop_looking(self) -> None:
        if self._observer is not None:
            await self._observer.close()
            self._observer = None

    async def all_live(self, *, states: bool = False) -> ClusterView:
        """Returns the cluster once every node has answered; ``states``: with all instances, which are then followed."""
        view = await self.view(_has_states if states else _is_answered, LOOK_SECONDS)
        if not states:
            await self._stop_looking()
        view = replace(view, nodes=tuple(n for n in view.nodes if n.state is not NodeState.HEARD))
        if silent := [n for n in view.nodes if n.state is not NodeState.LIVE]:
            raise RefusedError("; ".join(f"{plain(n.name)} does not answer: {n.detail}" for n in silent))
        return view

    async def plan(self, parts: Sequence[NodePart]) -> None:
        """Plans all parts, shows the plans, and asks; refuses unless every node can do its part."""
        is_dry = self._invocation.dry_run or self._invocation.read_only
        held = self._held = HeldCommands(self._settings, [p.node for p in parts])
        option = "--dry-run" if is_dry else "--yes"
        answers = await asyncio.gather(*(held.plan(p.node, self._words(p, option), PLAN_SECONDS) for p in parts))
        if refusals := self._take(answers, _summary):
            raise RefusedError("; ".join(refusals))
        if self._invocation.read_only:
            raise RefusedError("--read-only forbids every write")
        if self._invocation.dry_run:
            raise _DryRun
        if not self._invocation.yes and not await agreed():
            raise RefusedError("not confirmed")

    async def apply(self, *parts: NodePart) -> None:
        """Applies these parts at the same time; each node holds what it did. Raises ``_FailedError``."""
        assert self._held is not None  # noqa: S101 - planned before
        self._begun += parts
        self.results |= dict.fromkeys((p.node for p in parts), None)
        noting = asyncio.create_task(self._note_busy(self._held))
        try:
            ended = await asyncio.gather(*(self._held.start(p.node) for p in parts))
        finally:
            noting.cancel()
        if failed := [answer for answer in ended if answer]:
            self._take(failed, _detail)
            raise _FailedError("; ".join(f"{plain(a.node)}: {_detail(a)}" for a in failed))

    async def _note_busy(self, held: HeldCommands) -> None:
        await asyncio.sleep(QUIET_SECONDS)
        nodes = [plain(p.node) for p in self._begun if p.node in held.busy()]
        info(f"waiting for {', '.join(nodes)}; Ctrl+C puts everything back on all nodes")

    def _take(self, answers: Iterable[Answer], sentence: Callable[[Answer], str]) -> list[str]:
        missed = []
        for answer in answers:
            self.results[answer.node] = answer.document
            text = f"{plain(answer.node)}: {sentence(answer)}"
            info(text)
            if answer.code != ExitCode.DONE:
                missed.append(text)
        return missed

    def _words(self, part: NodePart, option: str) -> tuple[str, ...]:
        return (COORDINATED, option, "--reason", self._reason, "-o", "json", *part.options, *part.words)

    async def _put_back(self) -> str:
        """Lets all nodes put back, and asks their journals. Returns what was not put back; empty if everything was."""
        if self._held is not None and self._begun:
            info("putting everything back on all nodes")
            self._take(await self._held.abort(PUT_BACK_SECONDS), _detail)
        nodes = tuple(dict.fromkeys(part.node for part in reversed(self._begun)))
        whys = [(node, await self._undo(node)) for node in nodes]
        return "; ".join(f"{plain(node)} was NOT put back: {why}" for node, why in whys if why)

    async def _undo(self, node: str) -> str:
        """Returns what is wrong; empty if nothing of this action is in force there. Asks the node's own journal."""
        answered = self.results.get(node) is not None
        for _ in range(FIND_ATTEMPTS):
            journal = await run_command(self._settings, node, ("-o", "json", "journal"))
            entries = [e for e in (journal.document or {}).get("journal") or () if self._is_of_this(e)]
            if journal.document is not None and (answered or entries) and all(e["result"] for e in entries):
                break
            await asyncio.sleep(FIND_PAUSE)  # its connection was lost, and its kvtui may still be at work
        if journal.document is None:
            return f"{journal.error}; when it answers: kvtui journal (look for {self.id}), then kvtui undo ID"
        in_force = [str(e["id"]) for e in entries if e["result"] in {"done", "unverified", None}]
        for id_ in reversed(in_force):
            words = ("--yes", "--reason", f"[{self.id}] put back", "-o", "json", "undo", id_)
            undone = await run_command(self._settings, node, words)
            info(f"{plain(node)}: {_detail(undone)}")
            if undone.code != ExitCode.DONE:
                return f"{_detail(undone)} (kvtui undo {id_})"
        return ""

    def _is_of_this(self, entry: dict[str, Any]) -> bool:
        return f"[{self.id}]" in str(entry.get("reason")) and not entry.get("undoes")


def _is_answered(view: ClusterView) -> bool:
    return all(n.state not in {NodeState.CONNECTING, NodeState.LATE} for n in view.nodes)


def _has_states(view: ClusterView) -> bool:
    """A node's first report may lack states that its keepalived and the adverts show a moment later."""
    instances = (i for n in view.nodes if n.current for i in n.current.vrrp_instances or ())
    return _is_answered(view) and all(i.state not in {"UNKNOWN", "INIT"} for i in instances)


def _summary(answer: Answer) -> str:
    plan = (answer.document or {}).get("plan") or {}
    remarks = [r["text"] for r in plan.get("remarks", ()) if r.get("grade") in {"warning", "unsafe", "impossible"}]
    return plain("; ".join([str(plan["summary"]), *remarks])) if plan and answer.code == 0 else _detail(answer)


def _detail(answer: Answer) -> str:
    outcome = (answer.document or {}).get("outcome") or {}
    return plain(str(outcome.get("detail") or answer.error or f"exit code {answer.code}"))


def on_all_nodes(invocation: Invocation, words: tuple[str, ...], *, one_at_a_time: bool = False) -> int:
    async def act(nodes: AllNodes) -> str:
        names = [n.name for n in (await nodes.all_live()).nodes]
        parts = [NodePart(name, words) for name in names]
        await nodes.plan(parts)
        for group in [[p] for p in parts] if one_at_a_time else [parts]:
            await nodes.apply(*group)
        return f"done on {', '.join(map(plain, names))}"

    return AllNodes(invocation).run(act)


def failover_to(invocation: Invocation, instance: str, target: str) -> int:
    async def act(nodes: AllNodes) -> str:
        router = _router(await nodes.all_live(states=True), instance, target)
        parts = moves(router, target)
        if not parts:
            return f"{plain(target)} is the master of {plain(router.name)} already"
        await nodes.plan(parts)
        for part in parts:
            await nodes.apply(part)
        view = await nodes.view(lambda v: _masters(v, router) == (target,), VERIFY_SECONDS)
        if (masters := _masters(view, router)) != (target,):
            now = ", ".join(masters) or "-"
            raise _FailedError(f"{plain(target)} did not become master of {plain(router.name)} (now: {now})")
        return f"{plain(target)} is the master of {plain(router.name)}, seen by all nodes"

    return AllNodes(invocation).run(act)


def _router(view: ClusterView, instance: str, target: str) -> ClusterRouter:
    found = [r for r in view.routers if any(m.instance.name == instance for m in r.members)]
    if not found:
        known = ", ".join(r.name for r in view.routers) or "none"
        raise RefusedError(f"no node has an instance {plain(instance)} (known: {plain(known)})")
    router = next((r for r in found if any(m.node == target for m in r.members)), None)
    if router is None:
        known = ", ".join(sorted({plain(m.node) for r in found for m in r.members}))
        raise RefusedError(f"{plain(target)} has no instance {plain(instance)}; --to takes one of: {known}")
    if len(router.masters) != 1:
        masters = ", ".join(map(plain, router.masters)) or "nobody"
        raise RefusedError(f"{plain(instance)} must have one master to move from; now: {masters}")
    return router


def _masters(view: ClusterView, router: ClusterRouter) -> tuple[str, ...]:
    return next((r.masters for r in view.routers if r.vips == router.vips and r.name == router.name), ())


def moves(router: ClusterRouter, target: str) -> list[NodePart]:
    """Returns the parts that make the target master: its priority the highest, then the master leaves if it must."""
    if router.masters == (target,):
        return []
    here = next(m for m in router.members if m.node == target)
    master = next(m for m in router.members if m.node in router.masters)
    if here.instance.state != "BACKUP":
        raise RefusedError(f"{plain(target)} is {here.instance.state}: it cannot become master")
    follows = router.next
    leaves = bool(here.instance.nopreempt)
    if leaves and follows is not None and follows.certain and follows.node == target:
        return [_leave(router, master, {})]
    rivals = (m for m in router.members if m.node != target and not (leaves and m is master))
    best = max((m.instance.current_priority or 0 for m in rivals), default=0)
    # what its scripts add or take stays
    tracked = (here.instance.current_priority or 0) - (here.instance.priority or 0)
    needed = best + 1 - tracked
    if max(needed, best + 1) > MAX_PRIORITY:
        what = f"{plain(target)} would need priority {needed}"
        raise RefusedError(f"{what}: lower the other nodes first (kvtui priority)")
    if not leaves:
        return [NodePart(target, ("priority", here.instance.name, str(needed)))]
    # when the master leaves, a backup waits (256 - priority)/256 intervals: the highest takes over at once, and alone
    value = min(MAX_PRIORITY, MAX_PRIORITY - tracked)
    leave = _leave(router, master, {here.instance.address: value + tracked})
    return [NodePart(target, ("priority", here.instance.name, str(value))), leave]


def _leave(router: ClusterRouter, master: RouterMember, raised: Mapping[str | None, int]) -> NodePart:
    """The master learns from here who takes over: backups are silent, so it may never have heard them."""
    others = {m.instance.address: m.instance.current_priority or 0 for m in router.members if m is not master}
    peers = ",".join(f"{address}={priority}" for address, priority in {**others, **raised}.items() if address)
    return NodePart(master.node, ("failover", master.instance.name), ("--peers", peers))
