"""The main screens are unchanged: ``python -m tests.ui.snapshots`` writes them again after an intended change."""

from __future__ import annotations

import pytest

from tests.ui.snapshots import FOLDER, SIZES, capture


@pytest.mark.parametrize("size", SIZES)
async def test_the_screens_are_unchanged(size: tuple[int, int]) -> None:
    for name, text in (await capture(size)).items():
        assert text == FOLDER.joinpath(f"{name}.txt").read_text(), name
