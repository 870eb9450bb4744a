"""Lays kvtui and what it needs into one folder: the single file, the Debian package and the image are made of it.

    python packaging/bundle.py WHEEL FOLDER [--wheels FOLDER]

The wheels of what kvtui depends on are downloaded once, by pip, into the wheel folder. All of it is pure Python, so one
folder serves every Python from 3.11 on and every architecture; a dependency with machine code ends the build.

Left out: the ``kubernetes`` library (126 MB, only for kubeconfigs; a pod's service account does without), PyYAML's
accelerator, type stubs, scripts, bytecode.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

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


def download(wanted: list[str], wheels: Path) -> None:
    """Everything that kvtui needs; what is there already is not asked for again."""
    done = wheels / "complete"
    if done.exists() and done.read_text() == "\n".join(wanted):
        return
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    subprocess.run([*PIP, "download", "--only-binary=:all:", "--dest", str(wheels), *wanted], check=True)
    done.write_text("\n".join(wanted))


def lay_out(wheel: Path, wanted: list[str], wheels: Path, folder: Path) -> None:
    """Install, and take away what nothing reads at run time."""
    shutil.rmtree(folder, ignore_errors=True)
    offline = [*PIP, "install", "--no-index", "--no-compile", "--find-links", str(wheels), "--target", str(folder)]
    subprocess.run([*offline, *wanted], check=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    subprocess.run([*offline, "--no-deps", str(wheel)], check=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for pattern in UNUSED:
        for path in sorted(folder.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if machine_code := sorted(str(p.relative_to(folder)) for p in folder.rglob("*.so")):
        sys.exit(f"packaging/bundle.py: only pure Python can be bundled; this is not: {', '.join(machine_code)}")


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheels", type=Path, default=Path("build/wheels"))
    options = parser.parse_args()
    wanted = requirements(options.wheel)
    download(wanted, options.wheels)
    lay_out(options.wheel, wanted, options.wheels, options.folder)


if __name__ == "__main__":
    main()
