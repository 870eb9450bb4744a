"""A drained real server empties: the curve of its open connections, and the time estimate."""

from __future__ import annotations

from kvtui.model.observation import Observation, RealServerState
from kvtui.presenters.chart import drain_chart, drain_text, drained
from kvtui.rules.timeline.history import SPANS, History
from tests.kit.views import EPOCH, make_observation, real, server, snapshot

TARGET = "10.2.0.1:8080"


def at(second: float, active: int, *, weight: int = 0) -> Observation:
    state = RealServerState.DRAINED if weight == 0 else RealServerState.UP
    reals = (real("10.2.0.1", weight=weight, state=state, active=active), real("10.2.0.2", active=50))
    return make_observation(servers=(server("10.4.0.50", *reals),), of=snapshot(time=EPOCH + second))


def test_a_drain_has_its_curve_and_its_estimate() -> None:
    history = History()
    for second in range(10):
        history.add(at(second, 100, weight=1))
    for second, active in enumerate((64, 32, 16, 8), start=10):
        history.add(at(second, active))

    reals = drained(at(13, 8), TARGET)
    chart = drain_chart(history, [*reals], SPANS[0])
    assert [round(v) for v in chart.values[-5:]] == [100, 64, 32, 16, 8]
    assert (chart.now, chart.highest) == (8.0, 100.0)
    assert drain_text(history, reals) == "active 8, inactive 0, persistent 0 · about 4.4s left"


def test_without_a_decrease_there_is_no_estimate() -> None:
    history = History()
    for second in range(5):
        history.add(at(second, 7))

    assert drain_text(history, drained(at(5, 7), "10.2.0.1")) == "active 7, inactive 0, persistent 0"
    assert drain_text(history, {}) == "active 0, inactive 0, persistent 0"


def test_only_drained_servers_count() -> None:
    assert [key[1] for key in drained(at(0, 5), TARGET)] == [("10.2.0.1", 8080)]  # type: ignore[index]
    assert drained(at(0, 5, weight=1), TARGET) == {}
