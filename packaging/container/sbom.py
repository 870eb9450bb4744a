"""Prints a software bill of materials (CycloneDX 1.6, JSON) of the packages in folders, from their metadata.

    python packaging/container/sbom.py LIB [STATUS]

LIB is a folder of Python distributions; STATUS is one of Debian control paragraphs, as images without dpkg have it
(/var/lib/dpkg/status.d). It contains no time and no random number: the same content gives the same text.
"""

from __future__ import annotations

import json
import sys
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from importlib.metadata import PackageMetadata


def licences(metadata: PackageMetadata) -> dict[str, object]:
    """Returns the SPDX expression if the package has one, otherwise the name of its licence."""
    if expression := metadata.get("License-Expression"):
        return {"licenses": [{"expression": expression}]}
    classifiers = [c for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
    names = [c.rsplit(" :: ", 1)[1] for c in classifiers] or [metadata.get("License") or ""]
    found = [{"license": {"name": name}} for name in names if name and "\n" not in name]
    return {"licenses": found} if found else {}


def python_components(folder: str) -> list[dict[str, object]]:
    """Returns the distributions, sorted by name."""
    found = []
    for distribution in distributions(path=[folder]):
        name = distribution.name.lower().replace("_", "-")
        purl = f"pkg:pypi/{name}@{distribution.version}"
        component: dict[str, object] = {"type": "library", "bom-ref": purl, "name": name, "purl": purl}
        component["version"] = distribution.version
        found.append(component | licences(distribution.metadata))
    return sorted(found, key=lambda c: str(c["name"]))


def debian_components(folder: str) -> list[dict[str, object]]:
    """Returns the packages, sorted by name."""
    found = []
    for file in sorted(Path(folder).iterdir()):
        fields = HeaderParser().parsestr(file.read_text())
        name, version = fields["Package"], fields["Version"]
        purl = f"pkg:deb/debian/{name}@{quote(version, safe='.-~')}?arch={fields['Architecture']}"
        component: dict[str, object] = {"type": "library", "bom-ref": purl, "name": name, "version": version}
        if fields["Homepage"]:
            component["externalReferences"] = [{"type": "website", "url": fields["Homepage"]}]
        found.append(component | {"purl": purl})
    return found


def bill(lib: str, status: str | None) -> dict[str, object]:
    """Returns the document."""
    python = python_components(lib)
    [ours] = [c for c in python if c["name"] == "kvtui"]
    rest = [c for c in python if c is not ours] + (debian_components(status) if status else [])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": ours | {"type": "application"}},
        "components": rest,
        "dependencies": [{"ref": ours["bom-ref"], "dependsOn": [c["bom-ref"] for c in rest]}],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bill(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None), indent=1) + "\n")
