from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from kvtui.actions.core.definition import ActionDefinition, Argument, Flag, TargetKind, UsageError
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.actions.core.definition import PlanRequest
    from kvtui.actions.core.dialog_options import Option
    from kvtui.actions.core.runner import Action
    from kvtui.model.observation import Observation

KEPT = "kept: kvtui drains it again by itself while this command, or the terminal UI, runs; it stays drained after that"
WAIT = 300.0  # seconds that --wait waits at most
Real = Annotated[str, Argument("Address of the real server.", "REAL[:PORT]")]
Service = Annotated[str | None, Flag("--service", "VIP:PORT or `fwmark N`: only in this virtual server.")]


def drain(
    real: Real,
    service: Service = None,
    wait: Annotated[bool, Flag("--wait", "Wait until it has no connections left.")] = False,
    timeout: Annotated[
        float | None, Flag("--timeout", "Maximum seconds to wait (default 300); implies --wait.", 0)
    ] = None,
    over: Annotated[str, Flag("--over", "Lower the weight in steps over this time, such as 60s.")] = "0",
    fix_persistence: Annotated[
        bool, Flag("--fix-persistence", "Also set expire_quiescent_template: returning clients get another server.")
    ] = False,
    keep: Annotated[bool, Flag("--keep", "Stay, and drain again when something else undoes it, until Ctrl+C.")] = False,
) -> Intent:
    """Set a real server's weight to 0: no new connections.

    `undrain` restores the weight.

    Example: kvtui --reason "kernel update" drain 10.2.68.5 --wait
    """
    return Intent(
        ActionKind.DRAIN,
        real,
        service=service,
        wait=WAIT if wait and timeout is None else timeout,
        over=_seconds(over),
        fix_persistence=fix_persistence,
        keep=keep,
    )


def undrain(real: Real, service: Service = None) -> Intent:
    """Restore the weight of a drained real server.

    Example: kvtui undrain 10.2.68.5
    """
    return Intent(ActionKind.UNDRAIN, real, service=service)


def _seconds(text: str) -> float:
    scale = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    number = text[:-1] if scale else text
    try:
        value = float(number) * (scale or 1.0)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f'"{text}" is not a duration; write 60s or 2m', "--over")
    return value


async def _plan(request: PlanRequest) -> Action:
    from asyncio import to_thread  # noqa: PLC0415 - see core.definition

    from kvtui.actions.drain.active_drains import active_drains  # noqa: PLC0415
    from kvtui.actions.drain.check_files import check_file_controls  # noqa: PLC0415
    from kvtui.actions.drain.plan import plan_drain  # noqa: PLC0415
    from kvtui.actions.drain.targets import parse_real  # noqa: PLC0415
    from kvtui.actions.drain.undrain import plan_undrain  # noqa: PLC0415

    intent, seen, watch, backend = request.intent, request.observation, request.watch, request.backend
    real = parse_real(intent.target)
    entries = await to_thread(backend.journal.entries)
    checks = await to_thread(check_file_controls, seen, backend.text)
    if intent.kind is ActionKind.UNDRAIN:
        known = active_drains(entries)
        return plan_undrain(seen, real, intent.service, backend=backend, known=known, checks=checks, watch=watch)
    note = backend.journal_note()
    return plan_drain(
        seen,
        real,
        intent.service,
        backend=backend,
        wait=intent.wait,
        over=intent.over,
        fix_persistence=intent.fix_persistence,
        sysctls=await to_thread(backend.sysctls, seen.snapshot.chosen_keepalived),
        checks=checks,
        extra_notes=(*((note,) if note else ()), *((KEPT,) if intent.keep else ())),
        watch=watch,
    )


def _options(intent: Intent, observation: Observation | None, _action: Action | None) -> Iterable[Option]:
    from kvtui.actions.drain.options import drain_options  # noqa: PLC0415

    return drain_options(intent, observation)


DRAIN = ActionDefinition(
    ActionKind.DRAIN, drain, _plan, "d", "Drain", "Drain or undrain it", TargetKind.REAL_SERVER, _options
)
UNDRAIN = ActionDefinition(ActionKind.UNDRAIN, undrain, _plan, target=TargetKind.REAL_SERVER, dialog_options=_options)
