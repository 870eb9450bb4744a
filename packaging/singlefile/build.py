"""Makes one executable of a folder from ``bundle.py``: a zip that Python runs directly (zipapp, PEP 441).

    python packaging/singlefile/build.py FOLDER FILE

It contains sources and the bytecode of the Python that builds it: that version starts at once; any other supported
one compiles at run time. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
SHEBANG = b"#!/usr/bin/env python3\n"
NAME = "kvtui"


def modified() -> tuple[int, ...]:
    """Returns the time of all files in the zip: ``SOURCE_DATE_EPOCH``, or the oldest that a zip can store."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    return max(time.gmtime(epoch)[:6], (1980, 1, 1, 0, 0, 0))


def compile_all(folder: Path) -> None:
    """Writes bytecode next to each source, where zipimport looks for it; tracebacks show paths in the archive."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    well = compileall.compile_dir(
        folder, quiet=1, legacy=True, invalidation_mode=unchecked, stripdir=str(folder), prependdir=NAME, workers=0
    )
    if not well:
        sys.exit("some modules do not compile")


def write(folder: Path, file: Path) -> None:
    """Writes the archive, with a first line that names the interpreter."""
    when = modified()
    with file.open("wb") as raw:
        raw.write(SHEBANG)
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                info = zipfile.ZipInfo(str(path.relative_to(folder)), when)  # type: ignore[arg-type]
                info.external_attr = 0o100644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())
    file.chmod(0o755)


def main() -> None:
    """Runs the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, NAME)
        shutil.copytree(options.folder, work)
        for name in ("__main__.py", "machine_code.py", "sitecustomize.py"):
            shutil.copy(HERE / name, work)
        compile_all(work)
        write(work, options.file)


if __name__ == "__main__":
    main()
