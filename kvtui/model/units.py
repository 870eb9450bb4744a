"""Short text for numbers and durations."""

from __future__ import annotations

STEPS = "kMGTPE"


def count(value: float) -> str:
    """Returns at most five characters: ``0``, ``999``, ``1.2k``, ``34M`` (powers of 1,000)."""
    if value < 999.5:
        return f"{value:.0f}"
    scaled = float(value)
    for step in STEPS:
        scaled /= 1000
        if scaled < 9.95:
            return f"{scaled:.1f}{step}"
        if scaled < 999.5:
            return f"{scaled:.0f}{step}"
    return f"{scaled:.0f}{STEPS[-1]}"


def per_second(value: float) -> str:
    """Returns a rate: one decimal below ten, else like ``count``; zero is ``0``."""
    return f"{value:.1f}" if 0 < value < 9.95 else count(value)


def ago(seconds: float) -> str:
    """Returns a duration in its two largest units: ``0.4s``, ``12s``, ``3m05s``, ``2h07m``, ``9d04h``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def coarse(seconds: float) -> str:
    """Returns a duration that changes at most once a minute: ``<1m``, ``7m``, ``2h07m``, ``9d04h``."""
    if seconds < 60:
        return "<1m"
    if seconds < 3600:
        return f"{int(seconds) // 60}m"
    return ago(seconds)


def steps(seconds: float) -> str:
    """Returns a duration in steps of five seconds (``<5s``, ``25s``); from one minute on like ``coarse``."""
    if seconds >= 60:
        return coarse(seconds)
    return f"{int(seconds) // 5 * 5}s" if seconds >= 5 else "<5s"
