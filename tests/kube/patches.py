"""PATCH for the kinds of the emulator: merge patches (RFC 7386) and strategic merge patches.

https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.kube.objects import Object

MERGE_KEYS = {"ports": "port", "conditions": "type", "containers": "name", "ownerReferences": "uid"}
"""Lists whose elements a strategic merge patch merges, and their merge keys. It replaces other lists."""


def patched(obj: Object, patch: Object, *, strategic: bool) -> Object:
    """Returns the object with the patch applied."""
    after = copy.deepcopy(obj)
    for name, value in patch.items():
        if name.startswith("$"):  # $setElementOrder, $retainKeys: order does not matter here
            continue
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            before = after.get(name)
            after[name] = patched(before if isinstance(before, dict) else {}, value, strategic=strategic)
        elif strategic and name in MERGE_KEYS and isinstance(value, list):
            after[name] = _merged(after.get(name) or [], value, MERGE_KEYS[name])
        else:
            after[name] = value
    return after


def _merged(before: list[Object], changes: list[Object], key: str) -> list[Object]:
    by_key: dict[Any, Object] = {element.get(key): element for element in before}
    for change in changes:
        if change.get("$patch") == "delete":
            by_key.pop(change.get(key), None)
        else:
            by_key[change.get(key)] = patched(by_key.get(change.get(key), {}), change, strategic=True)
    return list(by_key.values())
