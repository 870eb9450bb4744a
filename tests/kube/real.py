"""A real cluster (``KVTUI_TEST_KUBECONFIG``), in a new namespace that is deleted afterwards.

Tests only create, change and delete objects in that namespace. Outages and missing rights need the fake cluster.
Try it without a cluster: run ``python -m tests.kube.serve`` and point the variable at its kubeconfig.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kvtui.backend.kube.discovery import Kubeconfig
from kvtui.backend.kube.errors import MissingError
from kvtui.backend.kube.session import Session
from kvtui.backend.kube.timing import Timing
from tests.kube.kinds import BY_KIND, BY_PLURAL, Kind

if TYPE_CHECKING:
    from tests.kube.objects import Object


class RealCluster:
    """The part of ``FakeCluster`` that a real cluster has.

    Args:
        path: the kubeconfig.

    Attributes:
        namespace: the tests' namespace for objects.
        place: the kubeconfig for kvtui.
    """

    def __init__(self, path: str) -> None:
        self.place = Kubeconfig(path, None)
        self._session = Session(self.place, Timing())
        self.namespace = f"kvtui-test-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> Self:
        self._ask("POST", "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": self.namespace}})
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("DELETE", f"/api/v1/namespaces/{self.namespace}")

    def kubeconfig(self, path: Path | str) -> Path:
        """Makes the kubeconfig available at ``path``, by a symlink."""
        file = Path(path)
        file.symlink_to(Path(self.place.paths).absolute())
        return file

    def put(self, *objects: Object) -> None:
        """Creates or replaces objects."""
        for obj in objects:
            kind = BY_KIND[obj["kind"]]
            name = obj["metadata"]["name"]
            path = self._path(kind)
            try:
                there = self._ask("GET", f"{path}/{name}")
            except MissingError:
                self._ask("POST", path, obj)
            else:
                version = there["metadata"]["resourceVersion"]
                self._ask("PUT", f"{path}/{name}", {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}})

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """Deletes an object."""
        assert namespace == self.namespace
        self._ask("DELETE", f"{self._path(BY_PLURAL[plural])}/{name}")

    def _path(self, kind: Kind) -> str:
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        return f"{root}/namespaces/{self.namespace}/{kind.plural}"

    def _ask(self, method: str, path: str, obj: Object | None = None) -> Any:
        answer = self._session.open(method, path, what=f"{method} {path}", read_timeout=30, body=obj)
        return json.loads(answer.data)
