"""Writes docs/predictions.md from the situations' results: ``python -m tests.lab.situations.report COMMIT RESULT…``.

Each RESULT is a file of ``pytest tests/lab/situations --junitxml=RESULT.xml``. If a situation ran twice on one version,
the last file counts. COMMIT is the tested commit.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab.situations.rows import ROWS

REFUSED = 3
"""Exit code of a refused action."""
TARGET = Path(__file__).parents[3] / "docs" / "predictions.md"
HEAD = """# Predictions and what happened

`kvtui --yes --force` carried out the action of each row on real keepalived: three nodes in the lab's kernel (README of
`tests/`). "Predicted" is the plan's prediction for the instance or virtual server on that node, "happened" the result
on all nodes, in their kernels and at a client. `tests/lab/situations/report.py` generates this page.

Actions that kvtui refused are not listed. If a situation was carried out more than once, the last result counts.

- **certain**: nothing on another node can change it.
- **likely**: it is right if the other nodes are like this one, or as they were when they last advertised.
- **unknown**: it depends on something that no source on this node knows, because a backup sends no adverts.
"""


class Line(NamedTuple):
    """One prediction."""

    situation: str
    version: str
    predicted: str
    certainty: str
    observed: str
    wrong: list[str]
    code: int

    def __str__(self) -> str:
        mark = f" **wrong: {'; '.join(self.wrong)}**" if self.wrong else ""
        name = self.situation.partition(": ")[2]
        cells = (f"{name} ({self.version})", self.predicted, self.certainty, f"{self.observed}{mark}", self.code)
        return f"| {' | '.join(map(str, cells))} |"


def results(paths: list[str]) -> list[dict[str, Any]]:
    """Returns the results of all situations, in the order of ``ROWS``."""
    properties = (e for path in paths for e in ET.parse(path).iter("property"))  # noqa: S314 - written by our own pytest
    values = [json.loads(e.get("value") or "{}") for e in properties if e.get("name") == "situation"]
    found = {(r["name"], r["keepalived"]): r for r in values if r["code"] != REFUSED}
    order = [row.name for row in ROWS]
    return [found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key[1])) if key[0] in order]


def lines_of(result: dict[str, Any]) -> list[Line]:
    """Returns the lines of one situation. A drain has lines only for instances that change state."""
    facts = (result["name"], result["keepalived"])
    lines = []
    for one in result["services"]:
        p, observed = one["predicted"], one["observed"]
        predicted = f"{p['virtual_server']}: {p['real_servers']['then']} of {p['real_servers']['now']} live"
        predicted += f", weight {p['weight']['then']} of {p['weight']['now']}; clients: {p['new_connections']}"
        clients = observed["new_connections"] or "not here"
        seen = f"{observed['real_servers']} live, weight {observed['weight']}; clients: {clients}"
        lines.append(Line(*facts, predicted, "certain", seen, one["wrong"], result["code"]))
    for one in result["instances"]:
        p, observed = one["predicted"], one["observed"]
        if result["services"] and p["state"]["then"] == p["state"]["now"] and not one["wrong"]:
            continue
        state = f"{p['state']['now'] or 'new'} → {p['state']['then'] or 'unknown'}"
        vips = "unknown" if p["vips_here"]["then"] is None else " ".join(p["vips_here"]["then"]) or "none"
        two = {True: ", two owners", False: "", None: ", two owners unknown"}[p["two_owners"]]
        predicted = f"{p['instance']}: {state}; VIPs here: {vips}{two}"
        here = " ".join(observed["vips_here"]) or "none"
        two = ", two owners" if observed["two_owners"] else ""
        seen = f"{observed['state'] or 'as before'}; VIPs here: {here}{two}"
        lines.append(Line(*facts, predicted, p["certainty"], seen, one["wrong"], result["code"]))
    return lines


def page(commit: str, found: list[dict[str, Any]]) -> str:
    rows = [line for r in found for line in lines_of(r)]
    wrong = [line for line in rows if line.wrong]
    lines = [HEAD, f"Commit {commit}.", ""]
    for version in sorted({r["keepalived"] for r in found}):
        mine = [line for line in rows if line.version == version]
        actions = [r["name"].partition(":")[0] for r in found if r["keepalived"] == version]
        kinds = ", ".join(f"{actions.count(action)} {action}" for action in dict.fromkeys(actions))
        sure = ", ".join(
            f"{sum(line.certainty == word for line in mine)} {word}" for word in ("certain", "likely", "unknown")
        )
        done = f"{len(actions)} of {len(ROWS)} situations ({kinds})"
        lines.append(f"- keepalived {version}: {done}, {len(mine)} predictions: {sure}.")
    certain = sum(line.certainty == "certain" for line in wrong)
    unknown = sum(line.certainty == "unknown" for line in rows) / max(1, len(rows))
    lines += ["", f"Wrong: {len(wrong)}, of which certain: {certain}. Unknown: {unknown:.0%}."]
    for action in dict.fromkeys(r["name"].partition(":")[0] for r in found):
        lines += [
            "",
            f"## {action}",
            "",
            "| situation | predicted | certainty | happened | exit code |",
            "|---|---|---|---|---|",
        ]
        lines += [str(line) for line in rows if line.situation.startswith(f"{action}:")]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(sys.argv[1], results(sys.argv[2:])))
