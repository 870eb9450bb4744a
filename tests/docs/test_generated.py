"""The generated pages of docs/ match the registries."""

from __future__ import annotations

import pytest

from tests.docs.generated import DOCS, PAGES, page


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == page(name), "run: python -m tests.docs.generated"
