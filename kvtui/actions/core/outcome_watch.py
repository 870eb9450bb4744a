"""Watches, after an action, whether what the plan predicted comes true: states, VIPs, owners on the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.runner import Verification
from kvtui.actions.core.watch import Watch, until
from kvtui.rules.vrrp.prediction_check import came_true, losses, observed
from kvtui.rules.vrrp.prediction_text import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.model.observation import Observation
    from kvtui.model.prediction import Prediction
    from kvtui.rules.vrrp.consequence import Consequence

MAX_WATCH = 60.0
"""Longest time of watching for a consequence (seconds)."""
MARGIN = 2.0
"""Seconds after the longest time that was predicted: a busy node is late."""
SETTLING = 0.5
"""Seconds for which the end of a change must hold, and the least time of watching."""
UNDO_HINT = "undo the change with `kvtui undo`, and check the other nodes"


async def watch_outcome(
    before: Observation,
    expected: Sequence[Consequence],
    watch: Watch,
    say: Callable[[str], None],
    since: float | None = None,
) -> Verification:
    """Watches as long as the consequence can take; an interruption ends it as not verified.

    ``ok`` is None also when a VIP is lost, doubled or moved. ``seconds`` count from ``since``, the time of the change;
    without it from the first look.
    """
    predictions = tuple(c.prediction for c in expected)
    longest = max((c.watch for c in expected), default=0.0)
    timeout = SETTLING if longest == 0 else min(MAX_WATCH, longest + MARGIN)
    if longest:
        say(f"watching the result for up to {timeout:.0f} s (Ctrl+C stops watching; the change stays)")
    seen: tuple[Prediction, ...] = ()
    times: list[float] = []
    come_at: float | None = None

    def settled(now: Observation) -> bool:
        nonlocal seen, come_at
        seen = observed(before, now, predictions)
        times.append(now.snapshot.time)
        if not _has_come(expected, seen):
            come_at = None
        elif come_at is None:
            come_at = times[-1]
        return come_at is not None and times[-1] - come_at >= SETTLING

    try:
        await until(watch, settled, timeout)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return Verification(None, "not verified: watching was interrupted; the change stays", observed=seen)
    elapsed = (times[-1] if come_at is None else come_at) - (times[0] if since is None else since)
    return replace(_verification(predictions, seen, times[-1] - times[0]), seconds=elapsed)


def all_came_true(predictions: Sequence[Prediction], seen: Sequence[Prediction]) -> bool | None:
    """Returns None if nothing that was predicted can be seen."""
    known = [came for p, o in zip(predictions, seen, strict=True) if (came := came_true(p, o)) is not None]
    return all(known) if known else None


def _has_come(expected: Sequence[Consequence], seen: Sequence[Prediction]) -> bool:
    """Whether every change that was predicted came, and nothing can follow it."""
    states = [(c.prediction.state, c.watch) for c in expected]
    is_open = any(s.then is None or (s.then == s.now and watch > 0) for s, watch in states)
    return not is_open and all(came_true(c.prediction, o) is True for c, o in zip(expected, seen, strict=True))


def _verification(predictions: Sequence[Prediction], seen: tuple[Prediction, ...], elapsed: float) -> Verification:
    pairs = list(zip(predictions, seen, strict=True))
    lost = [f"{p.instance}: {text}" for p, o in pairs for text in losses(p, o)]
    wrong = [_difference(p, o) for p, o in pairs if came_true(p, o) is False]
    as_predicted = all_came_true(predictions, seen)
    if lost:
        detail = f"{'NOT as predicted: ' if wrong else ''}{'; '.join(lost)}: {UNDO_HINT}"
    elif wrong:
        detail = f"NOT as predicted, but no VIP is lost: {'; '.join(wrong)}"
    else:
        detail = _came(pairs, elapsed, as_predicted)
    return Verification(None if lost else True, detail, as_predicted=as_predicted, observed=seen)


def _difference(p: Prediction, o: Prediction) -> str:
    owner = f", {o.owner_then} is master" if o.owner_then else ""
    return f"{p.instance} is {o.state.then or 'unknown'}{owner} (predicted: {sentence(p)})"


def _came(pairs: list[tuple[Prediction, Prediction]], elapsed: float, as_predicted: bool | None) -> str:
    words = []
    for p, o in pairs:
        state = o.state.then or "gone"
        owner = f", {o.owner_then} is master" if o.owner_then and state not in {"MASTER", "gone"} else ""
        two = ", and so is another node" if o.two_owners else ""
        words.append(f"{p.instance} is {state}{owner}{two}")
    what = "; ".join(words) or "no instance"
    how = {True: "as predicted", False: "not as predicted", None: f"seen for {elapsed:.0f} s"}[as_predicted]
    return f"{how}: {what}"
