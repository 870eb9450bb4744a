"""The lab's kernel is adapted to the register size of the host's CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.registers import KNOWN, fitting, host_size
from tests.lab.release import Release, fetch

if TYPE_CHECKING:
    from pathlib import Path

CALL = b"\x48\xc7\x45\xf8%b\xbf\x05\x42\x00\x00"
AMX = 11008


def program(tmp_path: Path, *sizes: int) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"ELF" + b"".join(CALL % size.to_bytes(4, "little") for size in sizes) + b"end")
    return path


def test_the_register_size_of_this_machine() -> None:
    assert 576 <= host_size() < 65536  # at least x87, SSE and the header


@pytest.mark.parametrize("size", [0, 832, KNOWN])
def test_a_fitting_program_is_unchanged(tmp_path: Path, size: int) -> None:
    path = program(tmp_path, KNOWN)
    assert fitting(path, size, tmp_path) == path


def test_in_the_copy_only_the_register_size_changes(tmp_path: Path) -> None:
    path = program(tmp_path, KNOWN)
    before = path.read_bytes()
    copy = fitting(path, AMX, tmp_path)
    assert path.read_bytes() == before
    assert copy.read_bytes() == before.replace(KNOWN.to_bytes(4, "little"), AMX.to_bytes(4, "little"))
    assert copy.stat().st_mode & 0o111


@pytest.mark.parametrize("sizes", [(), (KNOWN, KNOWN)])
def test_an_unknown_program_cannot_be_adapted(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    path = program(tmp_path, *sizes)
    assert fitting(path, KNOWN, tmp_path) == path
    with pytest.raises(ValueError, match="11008 bytes of registers"):
        fitting(path, AMX, tmp_path)


@pytest.mark.parametrize("release", [Release(), Release("13")], ids=["this machine's", "Debian 13's"])
def test_debians_kernel_can_be_adapted(release: Release, tmp_path: Path) -> None:
    fetch(release)
    kernel = release.kernel
    assert kernel is not None
    copy = fitting(kernel, AMX, tmp_path).read_bytes()
    assert sum(a != b for a, b in zip(copy, kernel.read_bytes(), strict=True)) == 2
