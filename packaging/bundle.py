"""Puts kvtui and its dependencies into one folder, the base of the single file, the Debian package and the image.

    python packaging/bundle.py WHEEL FOLDER [--wheels FOLDER]

pip downloads the wheels of the dependencies once, into the wheel folder. One folder serves every Python of ``PYTHONS``
on every architecture of ``MACHINES``: it has the modules with machine code (``NATIVE``) once for each, and Python
selects one by its file name. Machine code of any other package ends the build, except accelerators next to a module in
Python, which are left out.

Also left out: the parts of the ``kubernetes`` library that kvtui does not import (40 MB of typed models and its asyncio
half, with the packages that only this half needs), type stubs, scripts, bytecode. tests/packaging/test_library.py shows
that list, watch, exec plugins and OIDC work without them.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path

NARROWER = {"kubernetes": "kubernetes>=36.0.2,<37"}
"""Version 37 needs pydantic: machine code, 4 MB for each Python and machine. kvtui works with both."""
UNUSED_FOLDERS = tuple(
    f"kubernetes/{name}"
    for name in ("client/models", "client/api", "client/apis", "aio", "dynamic", "leaderelection", "informer", "utils")
)
UNUSED_DISTRIBUTIONS = (
    *("aiohttp", "aiohttp-retry", "aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "multidict", "propcache"),
    *("yarl", "tzdata", "durationpy"),
)
"""Packages that only these folders import; tzdata is for machines without Debian's, and kvtui uses no time zone."""
NATIVE = ("msgspec", "psutil")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
"""Platforms for which a wheel may have been built: Debian 12 has glibc 2.36."""
UNUSED = ("_yaml.*.so", "*.pyi", "py.typed", "__pycache__", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def requirements(wheel: Path) -> list[str]:
    """Returns the requirements of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    wanted = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    return [next((n for name, n in NARROWER.items() if text.startswith(name)), text) for text in wanted]


def download(wanted: list[str], wheels: Path) -> None:
    """Downloads all wheels that kvtui needs, except those that are already there."""
    done = wheels / "complete"
    if done.exists() and done.read_text() == "\n".join(wanted):
        return
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    subprocess.run([*PIP, "download", "--only-binary=:all:", "--dest", str(wheels), *wanted], check=True)
    download_native(wheels)
    done.write_text("\n".join(wanted))


def download_native(wheels: Path) -> None:
    """Downloads the wheels of ``NATIVE``, in the version that pip chose, one folder for each Python and machine."""
    pins = ["==".join(wheel.name.split("-")[:2]) for name in NATIVE for wheel in wheels.glob(f"{name}-*.whl")]
    for python, machine in itertools.product(PYTHONS, MACHINES):
        target = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
        options = ["--no-deps", "--only-binary=:all:", f"--python-version={python}", *target]
        folder = wheels / f"{python}-{machine}"
        subprocess.run([*PIP, "download", *options, "--dest", str(folder), *pins], check=True)


def lay_out_native(wheels: Path, folder: Path) -> None:
    """Installs the machine code of ``NATIVE``: each file has the name by which its Python on its machine finds it."""
    for python, machine in itertools.product(PYTHONS, MACHINES):
        suffix = f".cpython-{python.replace('.', '')}-{machine}-linux-gnu.so"
        for wheel in (wheels / f"{python}-{machine}").glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    if name.endswith(".so"):
                        (folder / (name.split(".", 1)[0] + suffix)).write_bytes(archive.read(name))


def remove_unused_code(folder: Path) -> None:
    """Removes code that nothing imports; see ``UNUSED_FOLDERS``."""
    for name in UNUSED_FOLDERS:
        shutil.rmtree(folder / name)
    for path in (folder / "kubernetes").rglob("*_test.py"):
        path.unlink()
    for distribution in distributions(path=[str(folder)]):
        if distribution.name.lower().replace("_", "-") in UNUSED_DISTRIBUTIONS:
            for top in {file.parts[0] for file in distribution.files or ()} - {".."}:
                path = folder / top
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def lay_out(wheel: Path, wanted: list[str], wheels: Path, folder: Path) -> None:
    """Installs the packages, and removes what nothing reads at run time."""
    shutil.rmtree(folder, ignore_errors=True)
    offline = [*PIP, "install", "--no-index", "--no-compile", "--find-links", str(wheels), "--target", str(folder)]
    subprocess.run([*offline, *wanted], check=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    subprocess.run([*offline, "--no-deps", str(wheel)], check=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    remove_unused_code(folder)
    for pattern in UNUSED:
        for path in sorted(folder.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in sorted(folder.rglob("*.so")):
        if (
            path.relative_to(folder).parts[0] not in NATIVE
            and not path.with_name(f"{path.name.split('.')[0]}.py").exists()
        ):
            sys.exit(f"packaging/bundle.py: {path.relative_to(folder)} is machine code: name its package in NATIVE")
        path.unlink()
    lay_out_native(wheels, folder)


def main() -> None:
    """Runs the command line; see the module's docstring."""
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
