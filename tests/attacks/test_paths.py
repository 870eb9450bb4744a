"""Paths inside another root: a container that swaps a folder for a link cannot redirect kvtui to files of the host."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.linux import rooted
from kvtui.backend.linux.files import read_bytes
from kvtui.backend.linux.place import open_place
from kvtui.backend.linux.rooted import list_folder, open_path, real_path, stat_path
from tests.attacks.targets import swapping, target

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIES = 300
SECRET = b"of the host"
OLD = b"of the container"


@pytest.fixture(params=["openat2", "walk"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both implementations: openat2(2), and the walk for kernels before 5.6."""
    monkeypatch.setattr(rooted, "has_openat2", request.param == "openat2")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root directory of a container: its /abs is not the host's."""
    inside = tmp_path / "root"
    for folder in ("run", "var", "etc/keepalived"):
        (inside / folder).mkdir(parents=True)
    (inside / "run/a").write_bytes(OLD)
    (inside / "var/run").symlink_to("/run")
    (inside / "rel").symlink_to("var/../run")
    (inside / "up").symlink_to("../../..")
    (inside / "loop").symlink_to("/loop")
    return inside


@pytest.mark.parametrize("path", ["/var/run/a", "/rel/a", "/up/../../..//run/./a", "/run/a", "run/a"])
def test_links_are_followed_inside_the_root(root: Path, path: str) -> None:
    assert read_bytes(path, root=str(root)) == OLD
    assert real_path(path, str(root)) == "/run/a"
    with open_place(path, str(root)) as place:
        assert place.read() == OLD


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/var/run/missing", errno.ENOENT),
        ("/run/a/b", errno.ENOTDIR),
        ("/loop", errno.ELOOP),
        ("/etc/passwd", errno.ENOENT),
    ],
)
def test_a_missing_path_is_reported(root: Path, path: str, number: int) -> None:
    with pytest.raises(OSError, match=path) as caught:
        stat_path(path, str(root))
    assert caught.value.errno == number


def test_a_final_link_is_not_followed_on_request(root: Path) -> None:
    assert stat.S_ISLNK(stat_path("/var/run", str(root), follow=False).st_mode)
    assert sorted(list_folder("/var/run", str(root))) == ["a"]


def test_links_of_proc_are_not_followed() -> None:
    """/proc/1/root and /proc/self/cwd in a container's /proc lead out of its root."""
    for path in ("/proc/self/root/etc/passwd", "/proc/self/cwd", "/proc/self/fd/0"):
        with pytest.raises(OSError, match=path) as caught:
            open_path(path, f"/proc/{os.getpid()}/root")
        assert caught.value.errno == errno.ELOOP


CONTAINER = """
for folder in usr lib lib64 bin; do
  mkdir -p "$0/$folder" && { [ ! -e "/$folder" ] || mount --rbind "/$folder" "$0/$folder"; } || exit 1
done
exec chroot "$0" bash -c "read word; exit"
"""


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A container that swaps a folder and a link to the host's folder in a loop: its root, and the host's folder.

    The root is that of a process in separate namespaces, or a plain folder without the right to create them.
    """
    host, inside = tmp_path / "host", tmp_path / "root"
    for place, text in ((host / "etc", SECRET), (inside / "etc", OLD)):
        place.mkdir(parents=True)
        (place / "x.conf").write_bytes(text)
    (inside / "link").symlink_to(f"{host}/etc")
    with swapping(inside / "etc", inside / "link"):
        if os.geteuid():
            yield str(inside), host / "etc"
            return
        with target("unshare", "--mount", "--pid", "--fork", "sh", "-c", CONTAINER, str(inside)) as keepalived:
            yield keepalived.root, host / "etc"


def test_the_trap_works_on_a_plain_open(trap: tuple[str, Path]) -> None:
    root, _host = trap
    text = b""
    while text != SECRET:
        with suppress(OSError):
            text = Path(f"{root}/etc/x.conf").read_bytes()


def test_a_swapped_folder_is_never_read_through(trap: tuple[str, Path]) -> None:
    root, _host = trap
    found: dict[bytes, int] = {OLD: 0}
    while found[OLD] < TRIES:
        try:
            text = read_bytes("/etc/x.conf", root=root)
        except OSError:
            text = b""
        found[text] = found.get(text, 0) + 1
    assert set(found) <= {OLD, b""}


def test_a_swapped_folder_is_never_written_through(trap: tuple[str, Path]) -> None:
    root, host = trap
    written = 0
    while written < TRIES // 4:
        try:
            with open_place("/etc/x.conf", root) as place:
                place.write(b"kvtui's")
        except OSError:
            continue
        written += 1
    assert {path.name: path.read_bytes() for path in host.iterdir()} == {"x.conf": SECRET}
