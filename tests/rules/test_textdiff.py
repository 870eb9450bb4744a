"""Unified diffs of configs, like those of ``diff -u``, by block and without passwords."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvtui.rules.textdiff import same_effect, text_diff
from tests.growth import ratio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("old", "new")
REAL = "  real_server 10.2.0.{} 80 {{\n    weight 1\n  }}\n"


def config(*reals: int, method: str = "NAT", more: str = "") -> str:
    servers = "".join(REAL.format(n) for n in reals)
    return f"{more}# Service: a/b\nvirtual_server 10.4.0.50 80 {{\n  lvs_method {method}\n{servers}}}\n"


def test_equal_texts_have_no_diff() -> None:
    assert text_diff(config(1), config(1), names=NAMES) == ""


def test_a_real_server_that_is_added() -> None:
    assert text_diff(config(1, 3), config(1, 2, 3), names=NAMES).split("\n") == [
        "--- old",
        "+++ new",
        "@@ -4,6 +4,9 @@",
        "   real_server 10.2.0.1 80 {",
        "     weight 1",
        "   }",
        "+  real_server 10.2.0.2 80 {",
        "+    weight 1",
        "+  }",
        "   real_server 10.2.0.3 80 {",
        "     weight 1",
        "   }",
        "",
    ]


LINES = st.lists(st.sampled_from(["a {", "}", "  weight 1", "", "x", "b {"]), max_size=12).map(
    lambda lines: "".join(f"{x}\n" for x in lines)
)


@example("a {\n}\na {\n}\na {\na {\n}\n", "}\na {\n}\na {\n}\na {\na {\n}\na {\n")  # two hunks
@given(LINES, LINES)
def test_the_diff_holds_both_texts(before: str, after: str) -> None:
    """Reads the hunks: minus lines and context are in the old text, plus lines and context in the new one."""
    body = text_diff(before, after, names=NAMES).split("\n")[2:-1]
    assert (body == []) is (before == after)
    hunks: list[list[str]] = []
    for line in body:
        if line.startswith("@@"):
            hunks.append([])
        else:
            hunks[-1].append(line)
    for hunk in hunks:
        old, new = ([line[1:] for line in hunk if line[0] in f" {mark}"] for mark in "-+")
        assert "\n".join(old) in before
        assert "\n".join(new) in after
        assert [line for line in hunk if line[0] != " "]


@pytest.mark.parametrize(
    ("before", "after"),
    [(config(1, 2, 3), config(1, 3)), (config(1), config(2, 3, method="DR")), ("", config(1)), (config(1), "x\n")],
)
def test_patch_applies_it(tmp_path: Path, before: str, after: str) -> None:
    """The ``patch`` program is the oracle: it turns one text into the other."""
    (tmp_path / "f").write_text(before)
    patch = text_diff(before, after, names=("f", "f"))
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"], cwd=tmp_path, input=patch, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr + patch
    assert (tmp_path / "f").read_text() == after


def test_passwords_are_masked_on_both_sides() -> None:
    one = config(1, more="authentication {\n  auth_type PASS\n  auth_pass s3cr3t\n}\n")
    other = config(1, more="authentication {\n  auth_type PASS\n  auth_pass n3w\n}\n# it was s3cr3t\n")
    diff = text_diff(one, other, names=NAMES)
    assert "s3cr3t" not in diff
    assert "n3w" not in diff
    assert diff.count("auth_pass ********") == 2


def test_comments_and_blanks_have_no_effect() -> None:
    assert same_effect(config(1), "\n\n" + config(1).replace("  ", "\t").replace("# Service: a/b", "! nothing\n"))
    assert same_effect('a "#1"', 'a  "#1"  # one')
    assert not same_effect('a "#1"', 'a "#2"')
    assert not same_effect(config(1), config(2))


def test_many_equal_lines_and_one_long_line_take_linear_time() -> None:
    """Four times as much may take at most ten times as long."""

    def work(count: int) -> Callable[[], None]:
        before, after = config(*range(count)), config(*range(1, count, 2))
        long = f"lvs_method {'x' * 40 * count}"

        def compare() -> None:
            text_diff(before, after, names=NAMES)
            same_effect(long, f"{long}y")

        return compare

    assert ratio(work(4000), work(1000)) < 10
