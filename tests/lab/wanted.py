"""Which cluster a lab test needs: it says so by a parameter, by its mark, or by the fixture `cluster`."""

from __future__ import annotations

import pytest

from tests.lab.spec import ClusterSpec


def wanted_cluster(item: pytest.Item) -> ClusterSpec | None:
    """Return a parameter that is a spec, that of `@pytest.mark.lab(spec=…)`, or the default one for `cluster`."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    marks = [mark.kwargs.get("spec") for mark in item.iter_markers("lab")]
    said = next((value for value in (*parameters.values(), *marks) if isinstance(value, ClusterSpec)), None)
    if said is None and "cluster" in getattr(item, "fixturenames", ()):
        return ClusterSpec()
    return said
