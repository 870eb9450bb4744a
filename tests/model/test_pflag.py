"""The controller's flags are parsed as pflag parses them."""

from __future__ import annotations

import pytest

from kvtui.model.keepalived import is_true, parse_flags


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("--vrid=51 --iface eth1", {"vrid": "51", "iface": "eth1"}),
        ("--use-unicast --vrid 51", {"use-unicast": "true", "vrid": "51"}),
        ("--use-unicast false", {"use-unicast": "true"}),  # pflag: a boolean never takes the next word
        ("--use-unicast=false", {"use-unicast": "false"}),
        ("--watch-namespace= --vrid=51", {"watch-namespace": "", "vrid": "51"}),
        ("--watch-namespace -x", {"watch-namespace": "-x"}),  # pflag: any other flag always takes it
        ("--vrid", {"vrid": ""}),
        ("-v 3 --vrid 51 -- --iface eth1", {"vrid": "51"}),
        (
            "--proxy-protocol-mode --services-configmap a/b",
            {"proxy-protocol-mode": "true", "services-configmap": "a/b"},
        ),
    ],
)
def test_flags(words: str, flags: dict[str, str]) -> None:
    assert parse_flags(("kube-keepalived-vip", *words.split())) == flags


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("T", True), ("false", False), ("yes", False)]
)
def test_a_boolean_accepts_gos_values(value: str, expected: bool) -> None:
    assert is_true({"use-unicast": value}, "use-unicast") is expected
    assert not is_true({}, "use-unicast")
