"""What is made once for all tests here: the packages, a Debian root file system, and the image."""

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


def made(*command: str, **environment: str) -> str:
    """Run one of the project's own scripts; its words are in the error when it fails."""
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with what `make packages` makes."""
    made(str(PACKAGING / "debian-packages"), "deb")
    made(str(PACKAGING / "build"), "packages")
    return PROJECT / "dist"


@pytest.fixture(scope="session")
def debian() -> Path:
    """A clean Debian."""
    if os.geteuid() != 0:
        pytest.skip("installing packages into a root file system of their own needs root: sudo make unit")
    return Path(made(str(PACKAGING / "debian-root")).strip())


@pytest.fixture
def machine(debian: Path, packages: Path, tmp_path: Path) -> Callable[..., Machine]:
    """A machine with nothing but Debian, to which a folder is given (the packages, unless told)."""
    return lambda given=packages, **environment: Machine(debian, tmp_path / "layer", given, environment)


@pytest.fixture(scope="session")
def image(debian: Path, packages: Path) -> Iterator[str]:
    """The image that `make image` makes, by buildah; its name."""
    assert (debian / ".complete").exists()
    assert (packages / "kvtui").exists()
    name = "localhost/kvtui:test"
    made(str(PACKAGING / "build"), "image", name, ENGINE="buildah")
    os.environ.setdefault("BUILDAH_ISOLATION", "chroot")
    yield name
    subprocess.run(["buildah", "rmi", "-f", name, "localhost/kvtui-base:latest"], capture_output=True, check=False)
