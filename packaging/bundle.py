"""Lays kvtui and what it needs into one folder: the single file, the Debian package and the image are made of it.

    python packaging/bundle.py WHEEL FOLDER [--wheels FOLDER]

The wheels of what kvtui depends on are downloaded once, by pip, into the wheel folder. One folder serves every Python
of ``PYTHONS`` on every architecture of ``MACHINES``: the modules with machine code (``NATIVE``) are in it once for
each, and Python chooses by the file's name. Machine code of any other package ends the build, but for accelerators
that have a module in Python beside them, which are left out.

Left out as well: what kvtui does not import of the ``kubernetes`` library (40 MB of typed models and its asyncio half,
with the packages that only this one needs), type stubs, scripts, bytecode. tests/packaging/test_library.py shows that
list, watch, exec plugins and OIDC work without.
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
"""37 needs pydantic: machine code, 4 MB for each Python and machine. kvtui works with both."""
UNUSED_FOLDERS = tuple(
    f"kubernetes/{name}"
    for name in ("client/models", "client/api", "client/apis", "aio", "dynamic", "leaderelection", "informer", "utils")
)
UNUSED_DISTRIBUTIONS = (
    *("aiohttp", "aiohttp-retry", "aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "multidict", "propcache"),
    *("yarl", "tzdata", "durationpy"),
)
"""What only the folders above import; tzdata is for machines without Debian's, and no time zone is looked up."""
NATIVE = ("msgspec", "psutil")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
"""Where a wheel may have been built: Debian 12 has glibc 2.36."""
UNUSED = ("_yaml.*.so", "*.pyi", "py.typed", "__pycache__", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def requirements(wheel: Path) -> list[str]:
    """What a wheel depends on."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    wanted = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    return [next((n for name, n in NARROWER.items() if text.startswith(name)), text) for text in wanted]


def download(wanted: list[str], wheels: Path) -> None:
    """Everything that kvtui needs; what is there already is not asked for again."""
    done = wheels / "complete"
    if done.exists() and done.read_text() == "\n".join(wanted):
        return
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    subprocess.run([*PIP, "download", "--only-binary=:all:", "--dest", str(wheels), *wanted], check=True)
    download_native(wheels)
    done.write_text("\n".join(wanted))


def download_native(wheels: Path) -> None:
    """The wheels of ``NATIVE`` for each Python and machine, of the version that pip chose, a folder each."""
    pins = ["==".join(wheel.name.split("-")[:2]) for name in NATIVE for wheel in wheels.glob(f"{name}-*.whl")]
    for python, machine in itertools.product(PYTHONS, MACHINES):
        target = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
        options = ["--no-deps", "--only-binary=:all:", f"--python-version={python}", *target]
        folder = wheels / f"{python}-{machine}"
        subprocess.run([*PIP, "download", *options, "--dest", str(folder), *pins], check=True)


def lay_out_native(wheels: Path, folder: Path) -> None:
    """The machine code of ``NATIVE``, each file under the name by which its Python on its machine finds it."""
    for python, machine in itertools.product(PYTHONS, MACHINES):
        suffix = f".cpython-{python.replace('.', '')}-{machine}-linux-gnu.so"
        for wheel in (wheels / f"{python}-{machine}").glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    if name.endswith(".so"):
                        (folder / (name.split(".", 1)[0] + suffix)).write_bytes(archive.read(name))


def remove_unused_code(folder: Path) -> None:
    """Takes away what nothing imports; see ``UNUSED_FOLDERS``."""
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
    """Install, and take away what nothing reads at run time."""
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
