"""How often ``keepalived -t`` runs: it is a program of the container, and is slow on a busy node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core import preflight
from kvtui.actions.core.preflight import Scope, run_preflight
from kvtui.backend import config_test
from tests.actions.preflights import CLEAN, CONF, daemon, preflight_of, printing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.backend.config_test import ConfigTest
    from kvtui.model.keepalived import Keepalived

WARNING = printing("(vips) Ignoring track_interface eth0 since own interface")
OTHER = CONF.replace("priority 100", "priority 120")


@pytest.fixture
def tests_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, ConfigTest, Scope], list[str]]:
    """Returns which configs were tested with this file on disk while ``CONF`` runs."""

    def count(saved: str, result: ConfigTest, scope: Scope) -> list[str]:
        tested: list[str] = []

        def run(keepalived: Keepalived, *, text: str | None = None, force: bool = False) -> ConfigTest:
            del keepalived, force
            tested.append("file" if text is None else "running")
            return result

        running = preflight_of(tmp_path).running
        (tmp_path / "keepalived.conf").write_text(saved)
        monkeypatch.setattr(config_test, "run", run)
        monkeypatch.setattr(preflight, "read_copy", lambda _pid: CONF)
        monkeypatch.setattr(preflight, "read_running", lambda *_, **__: running)
        monkeypatch.setattr(preflight, "YOUNG", 0.0)
        found = run_preflight(daemon(tmp_path), scope=scope)
        assert (found.baseline is not None) is (scope is Scope.COMPARED and result is WARNING)
        return tested

    return count


@pytest.mark.parametrize(
    ("saved", "result", "scope", "tested"),
    [
        (CONF, CLEAN, Scope.COMPARED, ["file"]),
        (OTHER, CLEAN, Scope.COMPARED, ["file"]),
        (CONF, WARNING, Scope.COMPARED, ["file"]),  # the same lines have the same warnings
        (OTHER, WARNING, Scope.COMPARED, ["file", "running"]),
        (OTHER, WARNING, Scope.TESTED, ["file"]),
        (OTHER, WARNING, Scope.READ, []),
    ],
)
def test_a_config_is_tested_only_where_its_messages_are_needed(
    tests_of: Callable[[str, ConfigTest, Scope], list[str]],
    saved: str,
    result: ConfigTest,
    scope: Scope,
    tested: list[str],
) -> None:
    assert tests_of(saved, result, scope) == tested
