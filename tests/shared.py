"""Real configs, dumps and manifests that lie beside the clone: their licences forbid copying them into it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def shared_path(*parts: str) -> Path:
    """Return a path below `../shared`; skip the test, or the module that is imported, in a clone that lies alone."""
    if not SHARED.is_dir():
        why = f"{SHARED} is missing: it has real files of other projects, which are not copied into this one"
        pytest.skip(why, allow_module_level=True)
    return SHARED.joinpath(*parts)
