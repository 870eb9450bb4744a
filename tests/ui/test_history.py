"""Histories: a minute for each server, and nothing for removed ones."""

from __future__ import annotations

import random

from kvtui.rules.timeline.history import MAX_SAMPLES, History, nice_top, samples
from tests.kit.views import EPOCH, make_observation, real, server, snapshot


def add(history: History, at: float, *rates: float) -> None:
    servers = tuple(server(f"10.4.0.{n}", real(), cps=rate) for n, rate in enumerate(rates))
    history.add(make_observation(servers=servers, of=snapshot(time=EPOCH + at)))


def test_samples_are_kept_in_order_and_only_the_last_ones() -> None:
    history = History()
    for n in range(MAX_SAMPLES + 10):
        add(history, n, float(n))

    kept = history.of(("TCP", "10.4.0.0:80"))
    assert kept == [float(n) for n in range(10, MAX_SAMPLES + 10)]


def test_a_burst_of_events_is_one_sample() -> None:
    history = History()
    for at in 0.0, 0.05, 0.1, 1.0:
        add(history, at, at)

    assert history.of(("TCP", "10.4.0.0:80")) == [0.0, 1.0]


def test_a_vip_is_the_sum_of_its_servers() -> None:
    history = History()
    history.add(make_observation(servers=(server("10.4.0.1", cps=2.0), server("10.4.0.1", cps=3.0))))

    assert history.of(("vip", "10.4.0.1")) == [5.0]


def test_removed_servers_are_dropped() -> None:
    history = History()
    add(history, 0, 1.0, 2.0)
    add(history, 1, 1.0)

    gone = make_observation(servers=(server("10.4.0.1", real()),))
    assert [history.of(key) for key in samples(gone, 10)] == [[], [], []]
    kept = make_observation(servers=(server("10.4.0.0", real()),))
    assert [len(history.of(key)) for key in samples(kept, 10)] == [2, 2, 2]  # virtual server, VIP, real server


def test_ten_thousand_real_servers_use_constant_memory() -> None:
    history = History(max_real_servers=2000)
    reals = tuple(real(f"10.{n // 250}.{n % 250}.1") for n in range(10_000))
    observation = make_observation(servers=(server("10.4.0.1", *reals),))
    history.add(observation)

    assert sum(bool(history.of(key)) for key in samples(observation, 10_000)) == 2


def test_the_scale_follows_the_highest_rate_of_the_last_minute() -> None:
    """Compares with all samples; the scale is read each second, rarely, and twice in one second."""
    history, chance = History(), random.Random(11)  # noqa: S311 - a test
    at, keys = 0.0, [("TCP", f"10.4.0.{n}:80") for n in range(3)]
    for _ in range(600):
        at += chance.choice([0.8, 1.0, 1.0, 1.0, 2.5, 70.0 if chance.random() < 0.02 else 1.0])
        add(history, at, *(chance.choice([0.0, 3.0, 40.0, 900.0 if chance.random() < 0.05 else 1.0]) for _ in keys))
        if chance.random() < 0.9:
            highest = max((rate for key in keys for rate in history.of(key)), default=0.0)
            assert history.top(keys) == nice_top(highest)


def test_samples_continue_after_the_clock_is_set_back() -> None:
    history = History()
    add(history, 100, 1.0)
    add(history, 10, 2.0)

    assert history.of(("TCP", "10.4.0.0:80")) == [1.0, 2.0]
