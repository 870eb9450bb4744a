"""Runs ``keepalived -t`` with the running keepalived's program and flags, in its namespaces and with its rights.

Measured (2.2.7; 2.1.5 in keepalived.md section 4): the exit code says little. It is 0 for a missing file, 5 for a
warning, and with 2.1.5 it is 0 for any error. So a test is clean only when keepalived prints nothing. A message that
several processes print is kept once.

The running config is tested from a memory file: nothing is written to disk.

The program is the container's own, and may be hostile: it gets no right that keepalived does not have (``launcher``),
a time limit, and limits of memory and output. What cannot be copied (a seccomp filter, a security label) is a reason
not to run it, unless the operator forces it.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import selectors
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.conf.copies import saved_secrets
from kvtui.backend.launcher.rights import lower, rights_of
from kvtui.backend.launcher.start import ENTER, ENVIRONMENT, memory_file, open_pipe, prepare, read_facts
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.linux.signals import kill_descendants
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kvtui.backend.launcher.rights import Rights
    from kvtui.model.keepalived import Keepalived

TIMEOUT = 30.0
"""Seconds from its start; usually 9 ms, but the lookup of a script's user may ask a name server, and a busy node is
slow: with a load of 16 on two CPUs it took more than 10 s."""
START_TIMEOUT = 30.0
"""Seconds until the launcher, a Python of its own, must have started it: on a busy node that takes longer than it."""
END_TIMEOUT = 30.0  # seconds that the launcher has to wait for what was killed: on a busy node 5 were too few
MAX_OUTPUT_BYTES = 1 << 20  # then it is killed: a config with a thousand errors prints 0.1 MB
MAX_LINES = 2000  # different lines that are kept
MAX_STATUS_BYTES = 4096
LIMITS = {
    resource.RLIMIT_AS: 1 << 30,
    resource.RLIMIT_FSIZE: 64 << 20,
    resource.RLIMIT_CPU: 30,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 1024,
}
"""Bytes, seconds and descriptors; it gets the target's own where those are lower."""
ROOT_IS_ENOUGH = frozenset({"mnt", "cgroup"})
"""Namespaces that a sidecar without CAP_SYS_ADMIN need not enter: its keepalived's root has the mounts."""
CONF = "/proc/self/fd/5"  # where the launcher puts the first file behind the program
RUNNING = "the running config"
_PLACE = re.compile(r"\((?:(?P<file>.+): )?Line (?P<line>\d+)\) (?P<text>.*)")


class ConfigTestUnavailableError(OSError):
    """``keepalived -t`` cannot run; the text says why and what to do."""


class ConfigTestUnconfinedError(ConfigTestUnavailableError):
    """It would have more rights than keepalived has; the text says which. It runs if the operator forces it."""


class ConfigMessage(Struct, frozen=True):
    """A message of ``keepalived -t``, with file and line if it has them; passwords are masked."""

    text: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{place}: {self.text}" if place else self.text


class ConfigTest(Struct, frozen=True):
    """The result of a test."""

    exit_code: int | None
    """0 ok, 2 or 5 config error, 6 script security (see the module); None when it did not exit by itself."""
    killed_by: str | None = None  # name of the signal that ended it (2.1.5 crashes on a missing brace)
    timed_out: bool = False
    messages: tuple[ConfigMessage, ...] = ()
    ran: str = ""  # what ran, as whom and where, for an operator
    cut: bool = False  # it printed more than ``MAX_OUTPUT_BYTES`` and was killed
    outside: str = ""  # what of keepalived's confinement did not hold for it, in words
    forced: bool = False  # it ran without a filter or label of keepalived's

    @property
    def clean(self) -> bool:
        return self.exit_code == 0 and not self.messages and not self.cut


def run(
    keepalived: Keepalived, *, text: str | None = None, timeout: float = TIMEOUT, force: bool = False
) -> ConfigTest:
    """Tests the config file of a keepalived, or a text instead.

    Relative includes in a text are not found. ``force``: also where it lacks a seccomp filter or security label of
    keepalived's.

    Raises:
        ConfigTestUnconfinedError: it would have more rights than keepalived.
        ConfigTestUnavailableError: no permission for its namespaces (CAP_SYS_PTRACE and CAP_SYS_CHROOT; CAP_SYS_ADMIN
            too when it has other namespaces than kvtui), its program cannot run, or it ended.
    """
    arguments = parse_arguments(keepalived.argv)
    conf = keepalived.conf if text is None else CONF
    argv = [keepalived.argv[0] if keepalived.argv else "keepalived", "-t", "-f", conf]
    argv += ["-i", arguments.config_id] if arguments.config_id is not None else []
    argv += ["-s", arguments.net_namespace] if arguments.net_namespace is not None else []
    rights = _rights(keepalived, force=force)
    lost = f" but for {rights.filtered}" if rights.filtered else ""
    facts, output, late, cut = _started(keepalived, rights, argv, text, timeout)
    ran = f"{' '.join(argv)} as uid {rights.uid}, gid {rights.gid} with the rights of process {keepalived.pid}{lost}"
    if facts.get("error") == errno.EPERM and facts["stage"] == ENTER and ROOT_IS_ENOUGH.issuperset(rights.spaces):
        facts, output, late, cut = _started(keepalived, rights, argv, text, timeout, enter=False)
        ran += f", in its root but in kvtui's {' and '.join(rights.spaces)} namespaces (no CAP_SYS_ADMIN)"
    if "error" in facts:
        raise ConfigTestUnavailableError(
            facts["error"],
            f"`keepalived -t` cannot get the rights of keepalived {keepalived.pid} "
            f"(to {facts['stage']}: {os.strerror(facts['error'])}): run kvtui as root or with CAP_SYS_ADMIN, "
            "CAP_SYS_CHROOT, CAP_SYS_PTRACE and CAP_SETPCAP",
        )
    if "exit" not in facts and not ("keeper" in facts and (late or cut)):
        why = f"not within {START_TIMEOUT:g} s" if late else masked(output[-200:].strip())
        raise ConfigTestUnavailableError(errno.EIO, f"`keepalived -t` was not started: {why}")
    exit_code = None if late or cut else facts["exit"]
    known = saved_secrets(keepalived) if text is None else secrets_in(text.splitlines())
    return ConfigTest(
        exit_code=exit_code if exit_code is not None and exit_code >= 0 else None,
        killed_by=signal.Signals(-exit_code).name if exit_code is not None and exit_code < 0 else None,
        timed_out=late,
        messages=messages(output, known, names={conf: RUNNING} if text is not None else {}),
        ran=ran,
        cut=cut,
        outside=_outside(rights, facts.get("missed", [])),
        forced=bool(rights.filtered),
    )


@contextmanager
def _explained(pid: int, needed: str) -> Iterator[None]:
    """Turns an OSError into a ConfigTestUnavailableError."""
    try:
        yield
    except PermissionError as error:
        why = f"`keepalived -t` needs the {needed} of process {pid}: run kvtui as root"
        raise ConfigTestUnavailableError(error.errno, why) from error
    except OSError as error:
        raise ConfigTestUnavailableError(error.errno, f"keepalived {pid} has ended: try again") from error


def _rights(keepalived: Keepalived, *, force: bool) -> Rights:
    with _explained(keepalived.pid, "rights"):
        rights = rights_of(keepalived.pid)
    if rights.filtered and not force:
        raise ConfigTestUnconfinedError(
            errno.EPERM,
            f"keepalived {keepalived.pid} runs under {rights.filtered}, which kvtui cannot give to `keepalived -t`: "
            "it was not run. --force (F in the terminal UI) runs it without that, and the plan then shows its result",
        )
    if rights.uid == 0:  # root gets all of its bounding set at exec
        rights = replace(rights, bounding=rights.bounding & (rights.permitted | rights.inheritable))
    return replace(rights, limits=lower(rights.limits, LIMITS))


def _outside(rights: Rights, missed: Sequence[str]) -> str:
    found = [rights.filtered] if rights.filtered else []
    if names := ", ".join((*rights.out_of_reach, *missed)):
        found.append(f"keepalived's cgroup {names}, which kvtui cannot join: kvtui's own limits held")
    return " and ".join(found)


def messages(output: str, known: frozenset[str], names: dict[str, str]) -> tuple[ConfigMessage, ...]:
    found: dict[tuple[str, int | None], ConfigMessage] = {}
    for raw in islice(dict.fromkeys(output.splitlines()), MAX_LINES):
        line = masked(raw.strip(), known)
        for real, shown in names.items():
            line = line.replace(real, shown)
        if not line:
            continue
        match = _PLACE.fullmatch(line)
        message = ConfigMessage(match["text"], match["file"], int(match["line"])) if match else ConfigMessage(line)
        key = (message.text, message.line)
        if key not in found or found[key].file is None:
            found[key] = message  # keeps its first position, and the file's name if any process printed it
    return tuple(found.values())


def _started(
    keepalived: Keepalived, rights: Rights, argv: Sequence[str], text: str | None, timeout: float, *, enter: bool = True
) -> tuple[dict[str, Any], str, bool, bool]:
    """Returns the launcher's facts, the output, whether it was too late, and whether it printed too much."""
    with ExitStack() as files:
        with _explained(keepalived.pid, "namespaces"):
            program = os.open(f"/proc/{keepalived.pid}/exe", os.O_RDONLY | os.O_CLOEXEC)
            files.callback(os.close, program)
            given = [program]
            if text is not None:
                given.append(memory_file(files, text.encode("utf-8", "surrogateescape")))
                if os.geteuid() == 0 and rights.uid:  # only its owner may open it again
                    os.fchown(given[-1], rights.uid, rights.gid)
            with ExitStack() as ours:
                (status, status_end), (output, output_end) = (open_pipe(files, ours) for _ in range(2))
                launch = prepare(
                    files, keepalived.pid, rights, argv, ENVIRONMENT, status=status_end, program=given, enter=enter
                )
                process = subprocess.Popen(launch.words, **launch.options(output_end))
        with process:
            return _outcome(process, status, output, timeout)


def _outcome(
    process: subprocess.Popen[bytes], status: int, output: int, timeout: float
) -> tuple[dict[str, Any], str, bool, bool]:
    """Reads until the program has ended, and ends all that it started: nothing of it may outlive the test."""
    data = {status: b"", output: b""}
    limits = {status: MAX_STATUS_BYTES, output: MAX_OUTPUT_BYTES}
    late = cut = has_begun = has_ended = False
    deadline = time.monotonic() + START_TIMEOUT
    with selectors.DefaultSelector() as waited:
        for fd in data:
            waited.register(fd, selectors.EVENT_READ)
        while not late and not cut:
            ready = waited.select(0.0 if has_ended else max(0.0, deadline - time.monotonic()))
            if not ready:
                late = not has_ended
                break
            for key, _ in ready:
                found = os.read(key.fd, 65536)
                data[key.fd] = (data[key.fd] + found)[: limits[key.fd]]
                cut |= len(data[key.fd]) == limits[key.fd]
                if not found:
                    has_ended |= key.fd == status
                    waited.unregister(key.fd)
                elif key.fd == status:
                    if not has_begun and "keeper" in read_facts(data[status]):
                        has_begun, deadline = True, time.monotonic() + timeout
                    has_ended |= "exit" in read_facts(data[status])
    facts = read_facts(data[status])
    if "keeper" in facts:
        kill_descendants(facts["keeper"])
        with suppress(subprocess.TimeoutExpired):  # it waits for all of them
            process.wait(END_TIMEOUT)
    process.kill()
    return facts, data[output].decode("utf-8", "replace"), late, cut
