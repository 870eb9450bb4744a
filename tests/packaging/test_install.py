"""On a machine with only Debian, one command installs kvtui, and `kvtui --demo` shows its first frame."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui import __version__
from tests.packaging.conftest import PROJECT, run_script
from tests.packaging.machine import Machine
from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_FRAME = ("10.4.0.50", "MASTER", "default/nginx")
SINGLE_FILE_START = 2.0  # seconds of its own CPU time until the first frame is complete


def shows_the_first_frame(terminal: PseudoTerminal) -> None:
    """Checks the first frame, and that kvtui ends on request."""
    with terminal:
        terminal.shows(*FIRST_FRAME)
        assert "VIP" in terminal.lines[1]
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.fixture(scope="session")
def wheelhouse(debian: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Downloads the wheel's dependencies for that machine by its own Python: pip queries its index only here."""
    folder = PROJECT / ".lab" / "wheelhouse"
    folder.mkdir(parents=True, exist_ok=True)
    [wheel] = packages.glob("*.whl")
    shutil.copy(wheel, folder)
    asking = Machine(debian, tmp_path_factory.mktemp("wheelhouse"), folder, online=True)
    wanted = f"/given/{wheel.name} pip setuptools wheel"  # pipx updates these three
    pip = "/tmp/asking/bin/python -m pip"
    asking.must(
        "sh",
        "-c",
        f"python3 -m venv /tmp/asking && {pip} -q download --only-binary=:all: -d /given --find-links /given {wanted}",
    )
    return folder


def test_pipx_installs_the_wheel(machine: Callable[..., Machine], wheelhouse: Path) -> None:
    ours = machine(wheelhouse, PIP_NO_INDEX="1", PIP_FIND_LINKS="/given", PIP_NO_COMPILE="1")
    ours.must("pipx", "install", f"/given/kvtui-{__version__}-py3-none-any.whl")
    assert ours.must("kvtui", "--version") == f"kvtui {__version__}\n"
    shows_the_first_frame(ours.terminal("kvtui", "--demo"))


def test_the_single_file_runs_from_where_it_was_copied(machine: Callable[..., Machine]) -> None:
    """It unpacks nothing, so it runs on a read-only file system."""
    ours = machine()
    ours.must("cp", "/given/kvtui", "/usr/local/bin/")
    before = ours.files()
    script = "mount -t tmpfs -o ro none /tmp; mount -t tmpfs -o ro none /root; exec kvtui --demo"
    shows_the_first_frame(ours.terminal("sh", "-c", script))
    assert ours.files() == before == {"/usr/local/bin/kvtui"}


@pytest.mark.long
def test_the_single_file_runs_on_the_python_of_debian_13(debian: Path, packages: Path, tmp_path: Path) -> None:
    """3.13: the file does not contain its bytecode."""
    assert debian.exists()
    wanted = "python3-minimal,libpython3-stdlib,coreutils"
    root = run_script(str(PROJECT / "packaging/debian-root"), "trixie", wanted).strip()
    ours = Machine(Path(root), tmp_path / "layer", packages)
    assert ours.must("python3", "--version").startswith("Python 3.13")
    shows_the_first_frame(ours.terminal("/given/kvtui", "--demo"))


def test_the_single_file_starts_in_under_two_seconds(packages: Path) -> None:
    """Measures its own CPU time, so that a busy machine does not matter."""
    before = os.times()
    with PseudoTerminal("--demo", command=["/usr/bin/env", "python3", str(packages / "kvtui")]) as terminal:
        terminal.shows(*FIRST_FRAME)
        terminal.process.kill()
        terminal.process.wait()
    after = os.times()
    assert (
        after.children_user + after.children_system - before.children_user - before.children_system < SINGLE_FILE_START
    )


def test_the_debian_package_installs_and_leaves_nothing(machine: Callable[..., Machine]) -> None:
    ours = machine()
    before = set(ours.must("dpkg-query", "-W").splitlines())
    ours.must("sh", "-c", "apt-get install -y -q /given/kvtui_*.deb")
    assert {line.split("\t")[0] for line in set(ours.must("dpkg-query", "-W").splitlines()) - before} == {"kvtui"}
    shows_the_first_frame(ours.terminal("kvtui", "--demo"))
    assert ".TH KVTUI 1 " in ours.must("zcat", "/usr/share/man/man1/kvtui.1.gz")
    completed = "source /usr/share/bash-completion/completions/kvtui; complete -p kvtui"
    assert "kvtui" in ours.must("bash", "-c", completed)
    for script in ("zsh/vendor-completions/_kvtui", "fish/vendor_completions.d/kvtui.fish"):
        assert "kvtui" in ours.must("cat", f"/usr/share/{script}")
    ours.must("sh", "-c", "mkdir -p /var/lib/kvtui && touch /var/lib/kvtui/journal.jsonl")
    ours.must("apt-get", "remove", "-y", "-q", "kvtui")
    left = {f for f in ours.files() if "kvtui" in f}
    assert left == {"/var/lib/kvtui/journal.jsonl"}, "what was done here is not forgotten before a purge"
    ours.must("apt-get", "purge", "-y", "-q", "kvtui")
    assert {f for f in ours.files() if "kvtui" in f} == set()


def test_lintian_reports_nothing(packages: Path) -> None:
    [package] = packages.glob("*.deb")
    done = subprocess.run(
        ["lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", str(package)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def low_limits() -> Iterator[str]:
    """Returns options for buildah, which raises these limits by default and fails to without CAP_SYS_RESOURCE."""
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        _, hard = resource.getrlimit(number)
        limit = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
        yield f"--ulimit={name}={limit}:{limit}"


@contextmanager
def container(image: str) -> Iterator[str]:
    """A container of the image, until the block ends."""
    name = run_script("buildah", "from", *low_limits(), image).strip()
    try:
        yield name
    finally:
        run_script("buildah", "rm", name)


def test_the_image_runs_as_nobody_and_has_only_what_it_needs(image: str) -> None:
    with container(image) as name:
        shows_the_first_frame(
            PseudoTerminal("--demo", command=["buildah", "run", "--tty", name, "--", "/usr/bin/kvtui"])
        )
        who = "import os; print(os.getuid(), os.getgid(), os.environ['TERM'])"
        assert run_script("buildah", "run", name, "--", "/usr/bin/python3", "-c", who) == "65532 65532 xterm-256color\n"
        root = Path(run_script("buildah", "mount", name).strip())
        assert sorted(p.name for p in (root / "usr/bin").iterdir()) == ["kvtui", "python3", "python3.11", "sleep"]
        assert not list((root / "usr/sbin").iterdir())
        size = sum(p.lstat().st_size for p in root.rglob("*") if p.is_file() and not p.is_symlink())
        assert size < 100e6, f"{size / 1e6:.0f} MB"
        settings = [p for p in root.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_mode & 0o6000]
        assert settings == [], "no setuid programs"
        bill = json.loads((root / "usr/share/sbom/kvtui.cdx.json").read_text())
        installed = {p.name for p in (root / "var/lib/dpkg/status.d").iterdir()}
    named = {c["purl"].partition("@")[0] for c in bill["components"]}
    assert {f"pkg:deb/debian/{name}" for name in installed} <= named
    assert {"pkg:pypi/textual", "pkg:pypi/typer", "pkg:deb/debian/libc6"} <= named
    assert "pkg:pypi/kubernetes" in named
    assert "pkg:pypi/aiohttp" not in named
    python = [c for c in bill["components"] if c["purl"].startswith("pkg:pypi/")]
    assert [c["name"] for c in python if not c["licenses"]] == []


def test_the_image_has_its_labels(image: str) -> None:
    described = json.loads(run_script("buildah", "inspect", "--type", "image", image))["OCIv1"]["config"]
    labels = described["Labels"]
    head = run_script("git", "rev-parse", "HEAD").strip()
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.revision"] == head
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert described["User"] == "65532:65532"
    assert described["Entrypoint"] == ["/usr/bin/kvtui"]


def test_the_same_input_gives_the_same_bytes(packages: Path, tmp_path: Path) -> None:
    """Two builds, a moment apart; of the single file only a part, because compiling all of it takes long."""
    assert (packages / "kvtui").exists()
    part = tmp_path / "part"
    shutil.copytree(PROJECT / "build/lib/typer", part / "typer")
    python = str(PROJECT / ".venv/bin/python")
    for name in ("first", "second"):
        out = tmp_path / name
        run_script(
            python,
            "-m",
            "build",
            "--no-isolation",
            "--wheel",
            "--outdir",
            str(out),
            ".",
            SOURCE_DATE_EPOCH="1700000000",
        )
        single = str(out / "kvtui")
        run_script(python, "packaging/singlefile/build.py", str(part), single, SOURCE_DATE_EPOCH="1700000000")
        os.utime(part / "typer" / "main.py")
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("first", "second"))
    assert first == second
    assert sorted(first) == ["kvtui", f"kvtui-{__version__}-py3-none-any.whl"]
