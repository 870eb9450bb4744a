"""A clone in a home that others cannot enter: the lab's guest makes only the needed folders readable."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tests.lab.readable import closed_folders, opening_script

if TYPE_CHECKING:
    from pathlib import Path


def test_parent_folders_that_others_cannot_enter_are_made_accessible(tmp_path: Path) -> None:
    home, clone = tmp_path / "home it's", tmp_path / "home it's" / "clone"
    (clone / "kvtui").mkdir(parents=True)
    home.chmod(0o700)
    assert [folder for folder in closed_folders([clone]) if folder.is_relative_to(home)] == [home]
    assert shlex.quote(str(home)) in opening_script(clone)
    assert "chmod -R" not in opening_script(clone)


def test_files_cloned_with_a_private_umask_are_made_readable(tmp_path: Path) -> None:
    (tmp_path / "kvtui").mkdir(mode=0o700)
    assert f"chmod -R o+rX -- {tmp_path}/kvtui\n" in opening_script(tmp_path)


def test_the_target_of_a_symlink_is_made_accessible_too(tmp_path: Path) -> None:
    target = tmp_path / "private"
    target.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(target)
    assert target in closed_folders([tmp_path / "link"])
