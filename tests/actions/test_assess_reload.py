"""The effect of a reload on keepalived; the messages of ``keepalived -t`` are those of 2.2.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.assess_reload import ReloadAssessment, assess_reload
from kvtui.model.keepalived import Children
from tests.actions.preflights import CLEAN, CONF, preflight_of, printing

if TYPE_CHECKING:
    from pathlib import Path


def test_a_clean_config(tmp_path: Path) -> None:
    assert assess_reload(preflight_of(tmp_path)) == ReloadAssessment()


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("(vips) the virtual router id must be set", 4),
        ("(vips) No VIP specified; at least one is required", 4),
        ("(vips) Unknown interface!", 4),
    ],
)
def test_an_error_that_ends_keepalived_names_its_line(tmp_path: Path, output: str, line: int) -> None:
    assessment = assess_reload(preflight_of(tmp_path, test=printing(output)))
    assert assessment.fatal == (f"{tmp_path}/keepalived.conf:{line}: {output}: keepalived would exit at the reload",)
    assert (assessment.new, assessment.unsafe) == ((), ())


@pytest.mark.parametrize(
    "output",
    [
        "Non-existent interface specified in configuration",
        "vips and two both use VRID 50 with IPv4 on interface eth0",
        "(/c: Line 8) *** Configuration line starting `interface` is missing a parameter after keyword `interface`",
    ],
)
def test_an_error_that_ends_keepalived_is_fatal(tmp_path: Path, output: str) -> None:
    [sentence] = assess_reload(preflight_of(tmp_path, test=printing(output))).fatal
    assert sentence.endswith("keepalived would exit at the reload")


@pytest.mark.parametrize(
    "output",
    [
        "(/c: Line 10) number '300' outside range [1, 255]",
        "(/c: Line 16) Unknown keyword 'foo'",
        "(vips) VRRP version 3 does not support authentication. Ignoring.",
        "Sync group g has only 1 virtual router(s) - this probably isn't what you want",
        "(/c: Line 13) (vips) track script nope not found, ignoring...",
    ],
)
def test_an_error_that_keepalived_survives_is_a_warning(tmp_path: Path, output: str) -> None:
    assessment = assess_reload(preflight_of(tmp_path, test=printing(output)))
    assert (assessment.fatal, assessment.unsafe, assessment.known, len(assessment.new)) == ((), (), (), 1)


def test_a_warning_that_the_running_config_has_too_is_known(tmp_path: Path) -> None:
    """Its line may differ in the running config."""
    test = printing("(/c: Line 9) Unknown keyword 'a'\n(/c: Line 12) Unknown keyword 'b'")
    assessment = assess_reload(preflight_of(tmp_path, test=test, baseline=printing("(/c: Line 8) Unknown keyword 'a'")))
    assert assessment.known == ("/c:9: Unknown keyword 'a'",)
    assert assessment.new == ("/c:12: Unknown keyword 'b'",)


def test_kvtui_checks_the_braces_where_the_config_test_crashes(tmp_path: Path) -> None:
    text = CONF.replace("priority 100", "priority 100\n}")
    crashed = printing("", None, killed_by="SIGSEGV")
    assessment = assess_reload(preflight_of(tmp_path, text, running=None, test=crashed))
    path = f"{tmp_path}/keepalived.conf"
    assert (
        f"{path}:15: This '}}' closes no block: keepalived may crash or exit, or ignore the rest of the file"
        in assessment.fatal
    )
    assert "`keepalived -t` crashes on this config (SIGSEGV): keepalived would crash at the reload" in assessment.fatal


def test_2_1_5_exits_with_0_for_an_error(tmp_path: Path) -> None:
    assessment = assess_reload(
        preflight_of(tmp_path, running=None, test=printing("(vips) the virtual router id must be set", 0))
    )
    assert len(assessment.fatal) == 1


def test_a_missing_vrid_is_found_without_a_config_test(tmp_path: Path) -> None:
    text = CONF.replace("  virtual_router_id 50\n", "")
    [why] = assess_reload(preflight_of(tmp_path, text, test=None)).fatal
    assert why == f"{tmp_path}/keepalived.conf:4: vips: virtual_router_id is missing: keepalived exits on it"


def test_empty_and_missing_files(tmp_path: Path) -> None:
    path = f"{tmp_path}/keepalived.conf"
    [empty] = assess_reload(preflight_of(tmp_path, "")).fatal
    assert empty.startswith(f"{path} has no vrrp_instance and no virtual_server")
    [missing] = assess_reload(preflight_of(tmp_path, None, test=printing(f"Config files missing '{path}'.", 0))).fatal
    assert missing == f"{path} does not exist: a reload would remove every instance and its VIPs"


def test_an_unreadable_file_is_not_reported_as_missing(tmp_path: Path) -> None:
    found = replace(preflight_of(tmp_path, None), error="/etc/k.conf cannot be read: Permission denied")
    [why] = assess_reload(found).fatal
    assert why == (
        "/etc/k.conf cannot be read: Permission denied: the effect of a reload is unknown; "
        "run kvtui as root or with CAP_SYS_PTRACE"
    )


SERVERS = CONF[CONF.index("virtual_server") :]


def test_no_instance_is_fatal_only_where_there_was_one(tmp_path: Path) -> None:
    assert len(assess_reload(preflight_of(tmp_path, SERVERS)).fatal) == 1
    assert assess_reload(preflight_of(tmp_path, SERVERS, running=SERVERS)) == ReloadAssessment()
    alone = {"children": Children(vrrp=None, checker=2)}
    assert assess_reload(preflight_of(tmp_path, SERVERS, running=None, daemon_changes=alone)) == ReloadAssessment()
    assert len(assess_reload(preflight_of(tmp_path, SERVERS, running=None)).fatal) == 1


def test_a_removed_include_is_unsafe_and_one_that_never_existed_is_not(tmp_path: Path) -> None:
    text = CONF + "include gone.conf\n"
    test = printing("(Line 25) Config files missing 'gone.conf'.", 0)
    assessment = assess_reload(preflight_of(tmp_path, text, test=test))
    assert assessment.unsafe == (
        f"{tmp_path}/keepalived.conf:25: No file matches 'gone.conf': its content is missing after the reload",
    )
    assert assess_reload(preflight_of(tmp_path, text, running=text, test=test)).unsafe == ()


def test_an_executable_config_is_skipped_by_keepalived(tmp_path: Path) -> None:
    output = "Configuration file '/c' is not a regular non-executable file - skipping"
    assert assess_reload(preflight_of(tmp_path, test=printing(output, 0))).fatal == (output,)


def test_a_config_test_that_fails_or_times_out_is_fatal(tmp_path: Path) -> None:
    assert len(assess_reload(preflight_of(tmp_path, test=printing("", 2))).fatal) == 1
    assert len(assess_reload(preflight_of(tmp_path, test=printing("", None, timed_out=True))).fatal) == 1
    assert CLEAN.clean
    assert not printing("x", 0).clean
