"""Lays kvtui and what it needs into one folder: the single file, the Debian package and the image are made of it.

    python packaging/bundle.py WHEEL FOLDER [--wheels FOLDER]

The wheels of what kvtui depends on are downloaded once, by pip, into the wheel folder. Everything is pure Python but
pydantic's core, whose machine code for each Python of ``PYTHONS`` is put side by side: its file names allow it, and one
folder serves them all (glibc 2.17 or newer, this machine's architecture).

Left out: the ``kubernetes`` library (126 MB, only for kubeconfigs; a pod's service account does without), type stubs,
scripts, bytecode.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LEFT_OUT = ("kubernetes",)
UNUSED = ("_yaml.*.so", "*.pyi", "py.typed", "__pycache__", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def requirements(wheel: Path) -> list[str]:
    """What a wheel depends on, less what is left out."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    wanted = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    return [text for text in wanted if not text.startswith(LEFT_OUT)]


def compiled(wheels: Path) -> list[Path]:
    """The wheels with machine code."""
    return sorted(w for w in wheels.glob("*.whl") if not w.stem.endswith("-any"))


def download(wheel: Path, wheels: Path) -> None:
    """Everything that kvtui needs, for every Python; what is there already is not asked for again."""
    wheels.mkdir(parents=True, exist_ok=True)
    done = wheels / "complete"
    wanted = "\n".join([*PYTHONS, *requirements(wheel)])
    if done.exists() and done.read_text() == wanted:
        return
    for old in wheels.glob("*.whl"):
        old.unlink()
    download = [*PIP, "download", "--only-binary=:all:", "--dest", str(wheels)]
    subprocess.run([*download, *requirements(wheel)], check=True)
    pinned = ["==".join(w.name.split("-")[:2]) for w in compiled(wheels)]
    machine = platform.machine()
    for version in PYTHONS:
        tags = [f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_28")]
        subprocess.run([*download, "--no-deps", "--python-version", version, *tags, *pinned], check=True)
    done.write_text(wanted)


def lay_out(wheel: Path, wheels: Path, folder: Path) -> None:
    """Install, add the machine code of the other Pythons, and take away what nothing reads at run time."""
    shutil.rmtree(folder, ignore_errors=True)
    offline = ["install", "--no-index", "--no-compile", "--find-links", str(wheels), "--target", str(folder)]
    subprocess.run([*PIP, *offline, *requirements(wheel)], check=True)
    subprocess.run([*PIP, *offline, "--no-deps", str(wheel)], check=True)
    for other in compiled(wheels):
        with zipfile.ZipFile(other) as archive:
            for name in archive.namelist():
                if name.endswith(".so"):
                    archive.extract(name, folder)
    for pattern in UNUSED:
        for path in sorted(folder.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()  # zipimport would take an empty folder of stubs for a package


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheels", type=Path, default=Path("build/wheels"))
    options = parser.parse_args()
    download(options.wheel, options.wheels)
    lay_out(options.wheel, options.wheels, options.folder)


if __name__ == "__main__":
    main()
