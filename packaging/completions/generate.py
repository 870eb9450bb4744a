"""Writes the completion scripts for packages: bash, zsh and fish, under the names by which the shells find them.

    python packaging/completions/generate.py OUTDIR

makes OUTDIR/kvtui (for /usr/share/bash-completion/completions), OUTDIR/_kvtui (for /usr/share/zsh/vendor-completions)
and OUTDIR/kvtui.fish (for /usr/share/fish/vendor_completions.d).
"""

from __future__ import annotations

import sys
from pathlib import Path

from kvtui.cli.completion import Shell, script

NAMES = {Shell.BASH: "kvtui", Shell.ZSH: "_kvtui", Shell.FISH: "kvtui.fish"}


def main(folder: Path) -> None:
    """Write all three."""
    folder.mkdir(parents=True, exist_ok=True)
    for shell, name in NAMES.items():
        (folder / name).write_text(script(shell), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python packaging/completions/generate.py OUTDIR")
    main(Path(sys.argv[1]))
