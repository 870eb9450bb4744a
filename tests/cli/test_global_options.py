"""Global options may come before or after the command; the later of two wins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kvtui.actions.registry import ACTIONS
from kvtui.cli.command_tree import command_tree
from kvtui.cli.commands import ACTION_OPTIONS, CLUSTER_OPTIONS, NODE_OPTIONS

ENV = {k: v for k, v in os.environ.items() if not k.startswith(("KVTUI_", "KUBE"))}
COMMANDS = {c.path[-1]: c for c in command_tree().all() if not c.commands}
ACTING = [action.kind.value for action in ACTIONS]
VIEWS = ["status", "vrrp", "vips", "ipvs", "top", "mappings", "trace", "render", "triage", "journal"]


def kvtui(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kvtui", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False, env={**ENV, **env}
    )


def settings(*words: str, **env: str) -> dict[str, Any]:
    """Returns the effective settings by key, with their origin."""
    found = json.loads(kvtui(*words, **env).stdout)["settings"]
    return {s["key"]: (s["value"], s["from"]) for s in found}


@pytest.mark.parametrize(
    ("option", "key", "value"),
    [
        (("--read-only",), "read_only", True),
        (("--ascii",), "ascii", True),
        (("--interval", "3"), "interval", 3.0),
        (("--kubeconfig", "/a"), "kubernetes.kubeconfig", "/a"),
        (("--context", "b"), "kubernetes.context", "b"),
        (("--configmap", "ns/name"), "kubernetes.configmap", "ns/name"),
        (("--no-kube",), "kubernetes.enabled", False),
    ],
)
def test_an_option_means_the_same_before_and_after_the_command(
    option: tuple[str, ...], key: str, value: object
) -> None:
    before = settings("-o", "json", *option, "config", "show")
    after = settings("config", "show", *option, "-o", "json")
    assert before == after
    assert after[key] == (value, option[0])


def test_the_later_of_two_wins() -> None:
    found = settings("--interval", "3", "--ascii", "config", "show", "-o", "json", "--interval", "5", "--no-ascii")
    assert (found["interval"], found["ascii"]) == ((5.0, "--interval"), (False, "--ascii"))
    assert kvtui("-o", "json", "vips", "--demo", "-o", "text").stdout.startswith("VIP ")


def test_an_option_after_the_command_overrides_the_environment() -> None:
    assert settings("config", "show", "-o", "json", "--interval", "5", KVTUI_INTERVAL="9")["interval"][0] == 5.0
    assert settings("config", "show", "-o", "json", KVTUI_INTERVAL="9")["interval"][0] == 9.0


def test_each_command_names_the_options_that_it_takes() -> None:
    globals_ = {p.names: p for p in command_tree().options}
    for name, command in COMMANDS.items():
        taken = {p.names for p in command.global_options}
        assert taken <= globals_.keys()
        kinds = {"cluster": CLUSTER_OPTIONS, "show": ACTION_OPTIONS}
        kinds |= dict.fromkeys(ACTING, ACTION_OPTIONS) | dict.fromkeys(VIEWS, NODE_OPTIONS)
        assert len(taken) == len(kinds.get(name, ()))


@pytest.mark.parametrize("command", ["drain", "vips"])
def test_help_lists_the_global_options(command: str) -> None:
    text = kvtui(command, "--help").stdout
    assert "Global options, also before the command:" in text
    assert ("--yes" in text) is (command == "drain")
    assert "--kubeconfig FILE" in text


def test_the_order_of_options_of_an_action_does_not_matter() -> None:
    words = (("--demo", "--dry-run", "--reason", "x", "-o", "json"), ("drain", "10.2.68.5"))
    done = [kvtui(*words[0], *words[1]), kvtui(*words[1], *words[0]), kvtui("drain", *words[0], "10.2.68.5")]
    assert {d.returncode for d in done} == {0}
    assert all("dry run: nothing was written" in d.stderr for d in done)
    plans = [json.loads(d.stdout)["plan"] for d in done]
    assert [(p["summary"], p["steps"]) for p in plans] == [(plans[0]["summary"], plans[0]["steps"])] * 3


def test_a_wrong_value_after_the_command_is_a_usage_error() -> None:
    done = kvtui("vips", "--configmap", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "write NAMESPACE/NAME, such as default/vip-configmap" in done.stderr
    assert kvtui("status", "--yes").returncode == 2
