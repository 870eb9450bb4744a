"""A test that fails under load runs again alone and is named; a test that fails twice has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import parallel

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
from pathlib import Path

def test_good(): pass

def test_once():
    seen = Path(__file__).with_name("seen")
    found, _ = seen.exists(), seen.touch()
    assert found

def test_always(): assert {fails} == 0
"""


@pytest.mark.parametrize("fails", [0, 1])
def test_failed_tests_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: int
) -> None:
    (tmp_path / ".lab").mkdir()
    file = tmp_path / "test_some.py"
    file.write_text(TESTS.format(fails=fails))
    (tmp_path / "pytest.ini").write_text("[pytest]")
    (tmp_path / "tests").symlink_to(parallel.PROJECT / "tests")
    monkeypatch.setattr(parallel, "PROJECT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # starts in a third of the time
    group = parallel.pytest_group("some", str(file), "-p", "no:cacheprovider")
    parallel.run([], [group])
    again = parallel.run_again([group])
    assert parallel.report([group, *again]) is (fails == 0)
    assert [name.rpartition("::")[2] for name in group.failed_tests] == ["test_once", *["test_always"] * fails]
    out = capsys.readouterr().out
    assert ("2 passed" if fails == 0 else "1 passed") in out
