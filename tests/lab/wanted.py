"""Finds the cluster spec of a lab test: in a parameter, in its mark, or by the fixture `cluster`."""

from __future__ import annotations

import pytest

from tests.lab.spec import ClusterSpec


def wanted_cluster(item: pytest.Item) -> ClusterSpec | None:
    """Returns the parameter that is a spec, the spec in `@pytest.mark.lab(spec=…)`, or the default for `cluster`."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    marks = [mark.kwargs.get("spec") for mark in item.iter_markers("lab")]
    spec = next((value for value in (*parameters.values(), *marks) if isinstance(value, ClusterSpec)), None)
    if spec is None and "cluster" in getattr(item, "fixturenames", ()):
        return ClusterSpec()
    return spec
