"""The JSON Schema (draft 2020-12) of what ``-o json`` prints, as ``kvtui schema`` prints it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from kvtui.presenters.action_document import Action, NodesAction
from kvtui.presenters.cluster_document import Cluster
from kvtui.presenters.contract import Render, Status, Trace

COMMANDS: dict[str, type[Struct]] = {
    "render": Render,
    "trace": Trace,
    "action": Action,
    "cluster": Cluster,
    "nodes_action": NodesAction,
}
"""Commands that print something else than parts of a status → their document, which ``$defs`` has by their name."""
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema of ``kvtui status -o json``; ``$defs`` has its parts, and the documents of ``COMMANDS``.

    These are whole by themselves too: ``jq '."$defs".render'``.
    """
    status = _schema("kvtui status", Status)
    commands = {name: _schema(f"kvtui {name}", kind) for name, kind in COMMANDS.items()}
    commands["render"]["dependentRequired"] = {"file": ["running"], "running": ["file"]}
    shared = {name: part for command in commands.values() for name, part in command["$defs"].items()}
    return {"$schema": DRAFT, **status, "$defs": shared | status["$defs"] | commands}


def _schema(title: str, kind: type[Struct]) -> dict[str, Any]:
    _refs, parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {**parts.pop(kind.__name__), "title": title, "$defs": parts}
