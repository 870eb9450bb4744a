"""Real configs, dumps and manifests in a folder next to the clone; their licences forbid copies in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def shared_path(*parts: str) -> Path:
    """Returns a path below `../shared`; skips the test or the importing module if that folder is missing."""
    if not SHARED.is_dir():
        why = f"{SHARED} is missing: it has real files of other projects, which are not copied into this one"
        pytest.skip(why, allow_module_level=True)
    return SHARED.joinpath(*parts)
