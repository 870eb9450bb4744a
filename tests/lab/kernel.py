"""Boots the lab's own kernel (user-mode Linux) on the host's file system and runs one command in it as root.

    python -m tests.lab.kernel [--timeout SECONDS] [--out FOLDER] -- ipvsadm -Ln

It needs no root, no /dev/kvm and no image. The guest can write to the host only in the output folder (see `init`).

The environment variable ``KVTUI_LAB_DEBIAN`` chooses the Debian release of kernel and keepalived:
``KVTUI_LAB_DEBIAN=13 pytest tests/lab`` runs the lab on Linux 6.12 and keepalived 2.3.3, on any machine.
``KVTUI_LAB_KERNEL`` chooses the kernel only. release.py fetches missing files into ``.lab``; if it cannot, every lab
test fails with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.cpu import cpu_of_session
from tests.lab.loader import with_loader
from tests.lab.readable import opening_script
from tests.lab.registers import fitting, host_size
from tests.lab.release import KERNEL_VARIABLE, SBIN_PATH, VARIABLE, Release, ReleaseError, chosen, fetch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
MEMORY = 1 << 30

# command -> the Debian package that contains it
NEEDED = {
    "linux.uml": "user-mode-linux",
    "modprobe": "kmod",
    "keepalived": "keepalived",
    "ipvsadm": "ipvsadm",
    "ip": "iproute2",
    "ps": "procps",
    "tcpdump": "tcpdump",
    "curl": "curl",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "pivot_root": "util-linux",
}
FAILED_STEP = "lab init: "
"""The prefix of the line in which init names the failed step."""


class LabError(Exception):
    """The kernel could not start, crashed, or did not finish in time; the text says which and why."""


@dataclass(frozen=True)
class Result:
    """The exit status and output of a command in the guest."""

    status: int
    stdout: str
    console: str
    out: Path


def missing_commands(release: Release) -> list[str]:
    """Returns the commands that the lab needs and that this machine does not have."""
    fetched = {"linux.uml": release.kernel_number, "keepalived": release.keepalived_number}
    needed = [command for command in NEEDED if not fetched.get(command)]
    lacking = [command for command in needed if not shutil.which(command, path=SBIN_PATH)]
    if not release.kernel_number and "linux.uml" not in lacking and not release.modules.is_dir():
        lacking.append(str(release.modules))
    return lacking


def why_not() -> str | None:
    """Returns a sentence that names the missing Debian packages; None if the lab can boot."""
    try:
        release = chosen()
    except ReleaseError as error:
        return str(error)
    lacking = missing_commands(release)
    if not lacking:
        return None
    packages = sorted({NEEDED.get(command, "user-mode-linux") for command in lacking})
    return (
        f"The lab cannot boot on this machine: it needs the Debian packages {', '.join(packages)}"
        f" (not found: {', '.join(lacking)})."
    )


def scratch_base() -> Path:
    """Chooses a folder for the kernel's memory. User-mode Linux maps a file in it as executable; a tmpfs is best."""
    for candidate in ("/dev/shm", tempfile.gettempdir(), "/var/tmp"):
        try:
            stat = os.statvfs(candidate)
        except FileNotFoundError:
            continue
        free = stat.f_bavail * stat.f_frsize
        if os.access(candidate, os.W_OK) and not stat.f_flag & os.ST_NOEXEC and free > MEMORY:
            return Path(candidate)
    raise LabError("The lab needs a folder with 1 GiB free and no noexec flag among /dev/shm, $TMPDIR and /var/tmp.")


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Returns a small, fixed environment for the command, with only a few of the caller's variables."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{SBIN_PATH}",
        "HOME": "/run/home",
        "USER": "root",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in (VARIABLE, KERNEL_VARIABLE) if os.environ.get(name)},
        **extra,
    }


@dataclass(frozen=True)
class Terminal:
    """The user's terminal, which becomes the guest's console."""

    rows: int
    columns: int
    term: str


class Kernel:
    """One boot: start, wait, stop. As a context manager it leaves no process and no file."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = PROJECT,
        terminal: Terminal | None = None,
        stdout: int | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.argv = list(argv)
        self.env = clean_environment(env or {})
        self.cwd = cwd
        self.terminal = terminal
        self.stdout = stdout  # a file descriptor for the command's output; None: read it by `stdout_text`
        self.files = files or {}  # written into the output folder for the command
        self.dir = Path()
        self._guard: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._resize = -1

    @property
    def out(self) -> Path:
        """The only folder that the guest can write to, at the same path on both sides."""
        return self.dir / "out"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the boot and returns at once."""
        if (why := why_not()) is not None:
            raise LabError(why)
        try:
            release = chosen()
            fetch(release)
        except ReleaseError as error:
            raise LabError(str(error)) from error
        self.dir = Path(tempfile.mkdtemp(prefix="kvtui-lab-", dir=scratch_base()))
        for folder in ("out", "uml", "memory"):
            (self.dir / folder).mkdir()
        shutil.copy(HERE / "init", self.dir / "init")
        for name, text in self.files.items():
            (self.out / name).write_text(text)
        self._write_command()
        lifeline, self._lifeline = os.pipe()
        resize, self._resize = os.pipe()
        try:
            self._spawn(release, lifeline, resize)
        finally:
            os.close(lifeline)
            os.close(resize)

    def _write_command(self) -> None:
        words = [f"{name}={value}" for name, value in {**self.env, "LAB_OUT": str(self.out)}.items()]
        if self.terminal:
            words.append(f"TERM={self.terminal.term}")
        enter = f"cd {shlex.quote(str(self.cwd))} || exit 127\n"
        script = f"{opening_script()}{enter}exec env -i {shlex.join([*words, *self.argv])}\n"
        (self.out / "command").write_text(script)

    def _program(self, release: Release) -> list[str]:
        """Returns the command that starts the release's kernel on this machine's CPU and C library."""
        if release.kernel is None:
            raise LabError("The lab cannot boot on this machine: linux.uml (Debian package user-mode-linux) is gone.")
        try:
            program = fitting(release.kernel, host_size(), self.dir)
            return [str(program)] if release.loader is None else with_loader(program, release.loader, self.dir)
        except (OSError, ValueError) as error:
            raise LabError(str(error)) from error

    def _spawn(self, release: Release, lifeline: int, resize: int) -> None:
        kernel = self._program(release)
        with (self.dir / "console").open("wb") as console, (self.dir / "stdout").open("wb") as stdout:
            output = os.dup(stdout.fileno() if self.stdout is None else self.stdout)
            words = [
                *("rootfstype=hostfs", "rootflags=/", "ro", "devtmpfs.mount=0", "quiet", f"mem={MEMORY >> 20}M"),
                *(f"uml_dir={self.dir}/uml/", "umid=lab", "con=null", "ssl=null", f"ssl0=null,fd:{output}"),
                *(f"init={self.dir}/init", f"LAB_DIR={self.dir}"),
                f"LAB_MODULES={release.modules}",
            ]
            if self.terminal:
                words += [
                    "loglevel=1",
                    "con0=fd:0,fd:1",
                    f"ssl1=fd:{resize},null",
                    f"LAB_ROWS={self.terminal.rows}",
                    f"LAB_COLS={self.terminal.columns}",
                ]
            else:
                words += ["con0=null,fd:1"]
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(HERE / "guard.py"), str(lifeline), str(self.dir), *kernel, *words],
                cwd=self.dir,  # the loader's folder, see loader.py
                stdin=None if self.terminal else subprocess.DEVNULL,
                stdout=None if self.terminal else console,
                stderr=console,
                env={"TMPDIR": str(self.dir / "memory"), "HOME": str(self.dir), "PATH": SBIN_PATH},
                pass_fds=(lifeline, output, resize),
                start_new_session=True,
            )
            os.close(output)

    def alive(self) -> bool:
        """Whether the kernel still runs."""
        return self._guard is not None and self._guard.poll() is None

    def cpu(self) -> float:
        """Returns the CPU seconds of all processes of the kernel, which guard.py starts in its own session."""
        if self._guard is None:
            return 0.0
        guard = self._guard.pid
        try:
            kernel = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return 0.0
        return cpu_of_session(int(kernel[0])) if kernel else 0.0

    def resize(self, rows: int, columns: int) -> None:
        """Sends the terminal's new size to the guest; `init` sets it on the console."""
        if self._resize >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._resize, f"{rows} {columns}\n".encode())

    def wait(self, timeout: float | None) -> int:
        """Waits for the command and returns its exit status. Kills a kernel that hangs, and raises LabError."""
        if self._guard is None:
            raise LabError("The lab's kernel was not started.")
        try:
            self._guard.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise LabError(f"The lab's kernel did not finish in {timeout:g} s.\n{self.console_tail()}") from None
        status = self.out / "status"
        if not status.exists() or not (text := status.read_text().strip()):
            raise LabError(f"{self.failed_step()}\n{self.console_tail()}")
        return int(text)

    def failed_step(self) -> str:
        """Returns a sentence that names the failed step of the boot, or says that the kernel stopped."""
        lines = [*self.console_text().splitlines(), *self.stdout_text().splitlines()]
        steps = [line.partition(FAILED_STEP)[2].strip() for line in lines if FAILED_STEP in line]
        return f"The lab did not boot: {steps[0]}." if steps else "The lab's kernel stopped before the command did."

    def stop(self) -> None:
        """Asks the guard to kill all processes of the kernel, and waits until it has."""
        if self._lifeline >= 0:
            with contextlib.suppress(BrokenPipeError):  # the guard has ended already
                os.write(self._lifeline, b"s")
            os.close(self._lifeline)
            self._lifeline = -1
            os.close(self._resize)
            self._resize = -1
        if self._guard is not None:
            self._guard.wait()

    def close(self) -> None:
        """Stops the kernel and removes the private folder."""
        self.stop()
        if self.dir != Path():
            shutil.rmtree(self.dir, ignore_errors=True)

    def stdout_text(self) -> str:
        """Returns the command's output so far, if `stdout` was not given."""
        return (self.dir / "stdout").read_text(errors="replace")

    def console_text(self) -> str:
        """Returns the output of the kernel and init so far."""
        return (self.dir / "console").read_text(errors="replace")

    def console_tail(self, lines: int = 40) -> str:
        """Returns the last lines of the console and of the command, for an error message."""
        parts = [("console", self.console_text()), ("command", self.stdout_text())]
        return "\n".join(
            f"--- lab {name}, last lines ---\n" + "\n".join(text.splitlines()[-lines:])
            for name, text in parts
            if text.strip()
        )


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = PROJECT,
    timeout: float = 300,
    out: Path | None = None,
) -> Result:
    """Boots, runs one command and powers off. Copies the files in `$LAB_OUT` to `out` if that is given."""
    with Kernel(argv, env=env, cwd=cwd) as kernel:
        status = kernel.wait(timeout)
        if out is not None:
            shutil.copytree(kernel.out, out, dirs_exist_ok=True)
        return Result(status, kernel.stdout_text(), kernel.console_text(), out or Path())


def main() -> int:
    """Runs the command line's command; prints its output and returns its exit status."""
    parser = argparse.ArgumentParser(description="Run a command as root in the lab's own kernel, with ip_vs loaded.")
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--out", type=Path, help="copy what the command wrote to $LAB_OUT into this folder")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        with Kernel(options.command, cwd=Path.cwd(), stdout=sys.stdout.fileno()) as kernel:
            status = kernel.wait(options.timeout)
            if options.out:
                shutil.copytree(kernel.out, options.out, dirs_exist_ok=True)
    except LabError as error:
        print(error, file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130
    print(f"lab: exit {status} after {time.monotonic() - began:.1f} s", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
