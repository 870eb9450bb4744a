"""What all tests here share: the packages, a Debian root file system, and the image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).parents[2]
PACKAGING = PROJECT / "packaging"


def run_script(*command: str, **environment: str) -> str:
    """Runs one of the project's own scripts; the error of a failure contains its output."""
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the output of `make packages`."""
    run_script(str(PACKAGING / "debian-packages"), "deb")
    run_script(str(PACKAGING / "build"), "packages")
    return PROJECT / "dist"


@pytest.fixture(scope="session")
def debian() -> Path:
    """A clean Debian root file system."""
    if os.geteuid() != 0:
        pytest.skip("installing packages into a root file system of their own needs root: sudo make unit")
    return Path(run_script(str(PACKAGING / "debian-root")).strip())


@pytest.fixture
def machine(debian: Path, packages: Path, tmp_path: Path) -> Callable[..., Machine]:
    """A machine with only Debian, with a given folder (by default the packages)."""
    return lambda given=packages, **environment: Machine(debian, tmp_path / "layer", given, environment)


@pytest.fixture(scope="session")
def image(debian: Path, packages: Path) -> Iterator[str]:
    """The name of the image that `make image` makes, with buildah."""
    assert (debian / ".complete").exists()
    assert (packages / "kvtui").exists()
    name = "localhost/kvtui:test"
    run_script(str(PACKAGING / "build"), "image", name, ENGINE="buildah")
    os.environ.setdefault("BUILDAH_ISOLATION", "chroot")
    yield name
    subprocess.run(["buildah", "rmi", "-f", name, "localhost/kvtui-base:latest"], capture_output=True, check=False)
