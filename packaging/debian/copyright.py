"""Writes debian/copyright (DEP-5) to stdout: kvtui's licence and that of each library in a folder.

python packaging/debian/copyright.py FOLDER
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

APACHE = """\
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
"""


def licence(distribution: Distribution) -> str:
    """Returns the distribution's SPDX expression, or the licence that its metadata names."""
    metadata = distribution.metadata
    named = metadata.get("License-Expression") or metadata.get("License") or ""
    classified = [c.rsplit(" :: ", 1)[1] for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
    return (named if named and "\n" not in named else "") or ", ".join(classified) or "see its folder"


def holder(distribution: Distribution) -> str:
    """Returns the copyright holder."""
    metadata = distribution.metadata
    found = metadata.get("Author-email") or metadata.get("Author") or metadata.get("Maintainer-email")
    return " ".join(found.split()) if found else "its authors"


def texts(distribution: Distribution) -> str:
    """Returns the distribution's licence files in the form of a paragraph's text."""
    found = [f for f in distribution.files or () if "licen" in f.name.lower() or "copying" in f.name.lower()]
    lines = [line.rstrip() for file in found for line in (file.read_text() or "").splitlines()]
    return "\n".join(f" {line}" if line else " ." for line in lines)


def say(text: str) -> None:
    """Prints lines."""
    sys.stdout.write(f"{text}\n")


def main(folder: str) -> None:
    """Prints the file; see the module's docstring."""
    say("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/")
    say("Upstream-Name: kvtui\n\nFiles: *\nCopyright: 2026 the kvtui authors\nLicense: Apache-2.0\n\n" + APACHE)
    for found in sorted(distributions(path=[folder]), key=lambda d: d.name.lower()):
        if found.name == "kvtui":
            continue
        top = sorted({p.parts[0] for p in _files(folder, found) if not p.parts[0].endswith(".dist-info")})
        say(f"Files: {' '.join(f'opt/kvtui/lib/{name}*' for name in top) or f'opt/kvtui/lib/{found.name}*'}")
        say(f"Copyright: {holder(found)}")
        say(f"License: {found.name}\n {licence(found)}\n .\n{texts(found) or ' (no text came with it)'}\n")


def _files(folder: str, distribution: Distribution) -> list[Path]:
    """Returns the existing modules and folders of a distribution, by their top-level names."""
    named = (distribution.read_text("top_level.txt") or distribution.name.replace("-", "_")).split()
    return [Path(name) for name in named if Path(folder, name).exists() or Path(folder, f"{name}.py").exists()]


if __name__ == "__main__":
    main(sys.argv[1])
