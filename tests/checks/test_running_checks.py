"""Running checks: in separate namespaces where the machine allows them, otherwise in those of the test."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.trial import Trials, trial_notes
from kvtui.backend.checks.runner import Prospect, prospect_of, run_check
from kvtui.model.check import SCRIPT, Check, CheckResult, Url
from kvtui.model.keepalived import Children
from tests.kit import conf, keepalived
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from kvtui.model.keepalived import Keepalived

THREAD_SIGNALS = 0b11 << 31
"""SIGCANCEL and SIGSETXID: glibc does not let a program set them, and the parent of CI ignored them."""
SETTINGS = {"script_user": "root"}


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Acts as keepalived's child: a process with another environment and working directory."""
    with subprocess.Popen(["sleep", "600"], env={"PATH": "/usr/bin:/bin", "MARK": "1"}, cwd="/") as child:
        # the kernel sets the environment of a new program shortly after Popen returns
        poll(lambda: b"MARK=1" in Path(f"/proc/{child.pid}/environ").read_bytes(), 120, "its environment")
        yield child
        child.kill()


@pytest.fixture
def daemon(process: subprocess.Popen[bytes]) -> Keepalived:
    root = f"/proc/{process.pid}/root"
    return keepalived(pid=process.pid, root=root, uid=os.geteuid(), children=Children(process.pid, process.pid))


def script(*argv: str, timeout: float = 30.0, dynamic: bool = False) -> Check:
    return Check(SCRIPT, "chk", argv=argv, timeout=timeout, dynamic=dynamic)


def running(pid: str) -> bool:
    return Path(f"/proc/{pid.strip()}").exists()


async def result_of(daemon: Keepalived, check: Check) -> CheckResult:
    return await run_check(daemon, prospect_of(daemon, check, SETTINGS))


async def test_a_script_has_only_the_environment_of_keepalived(daemon: Keepalived) -> None:
    text = "env; pwd; ls /proc/self/fd; tty; grep -E '^Sig(Ign|Blk)' /proc/self/status"
    ignored = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGUSR2, signal.SIGTSTP)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        found = await result_of(daemon, script("/bin/sh", "-c", text))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in ignored.items():
            signal.signal(number, handler)
    assert (found.passed, found.exit_code) == (True, 0)
    lines = [line.replace("\t", " ") for line in found.output.splitlines()]
    masks = {line[:6]: int(line[7:], 16) & ~THREAD_SIGNALS for line in lines if line.startswith("Sig")}
    assert masks == {"SigBlk": 0, "SigIgn": 0}
    assert {"PATH=/usr/bin:/bin", "MARK=1", "/", "not a tty"} <= set(lines)
    assert not any(line.startswith(("HOME=", "PYTEST")) for line in lines)
    assert {line for line in lines if line.isdigit()} == {"0", "1", "2", "3"}  # ls opens 3


@pytest.mark.parametrize(
    ("check", "passed", "detail"),
    [
        (script("/bin/sh", "-c", "exit 3"), False, "exit status 3"),
        (script("sh", "-c", "exit 0"), True, "exit status 0"),
        (script("sh", "-c", "exit 12", dynamic=True), True, "exit status 12, weight 10"),
        (script("sh", "-c", "exit 1", dynamic=True), False, "exit status 1"),
        (script("sh", "-c", "kill -9 $$"), False, "killed by SIGKILL"),
        (script("sh", "-c", "sleep 600 & exit 0"), True, "exit status 0"),
        (script("/nowhere/x"), False, "/nowhere/x does not exist (in keepalived's mount namespace)"),
        (script("nowhere-x"), False, "nowhere-x does not exist in keepalived's PATH /usr/bin:/bin"),
        (script("/etc/passwd"), False, "is not executable for"),
        (script(), False, "it names no program"),
    ],
)
async def test_results(daemon: Keepalived, check: Check, passed: bool, detail: str) -> None:
    found = await result_of(daemon, check)
    assert found.passed is passed
    assert detail in found.detail


async def test_a_script_that_does_not_end_is_killed_with_its_children(daemon: Keepalived) -> None:
    found = await result_of(daemon, script("sh", "-c", "echo $$; sleep 600 & trap '' TERM; sleep 600", timeout=1.0))
    assert found.passed is False
    assert found.detail == "it did not end within 1 s and was killed"
    assert not running(found.output)


async def test_a_child_of_a_late_script_in_another_session_is_killed(daemon: Keepalived) -> None:
    line = "setsid sh -c 'echo $$; exec sleep 600' & wait"
    found = await result_of(daemon, script("sh", "-c", line, timeout=2.0))
    assert found.detail == "it did not end within 2 s and was killed"
    assert found.output
    assert not running(found.output)


async def test_a_child_of_a_script_that_ended_continues_as_in_keepalived(daemon: Keepalived) -> None:
    found = await result_of(daemon, script("sh", "-c", "setsid sleep 600 & echo $!"))
    assert found.passed
    assert running(found.output)
    os.kill(int(found.output), signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 3])
async def test_the_exit_code_of_a_late_script_counts_as_in_keepalived(daemon: Keepalived, code: int) -> None:
    words = f"trap 'exit {code}' TERM; while :; do sleep 0.05; done"
    found = await result_of(daemon, script("sh", "-c", words, timeout=1.0))
    assert (found.passed, found.exit_code) == (code == 0, code)
    assert found.detail == f"exit status {code} after SIGTERM at its time limit of 1 s, which counts"


async def test_long_output_is_cut_and_made_safe(daemon: Keepalived) -> None:
    found = await result_of(daemon, script("sh", "-c", r"printf '\033[31mred\n'; yes | head -c 1000000"))
    assert found.passed
    assert "\x1b" not in found.output
    assert len(found.output) < 5000


async def test_a_cancelled_run_leaves_nothing_behind(daemon: Keepalived, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    check = script("sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600", timeout=600)
    task = asyncio.create_task(result_of(daemon, check))
    while not mark.exists():
        assert not task.done()
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running(mark.read_text())


def test_an_unknown_user_is_named(daemon: Keepalived) -> None:
    if os.geteuid():
        pytest.skip("keepalived changes to another user only as root")
    prospect = prospect_of(daemon, replace(script("sh"), user="nobody-here"), SETTINGS)
    assert prospect.problems == (f"user nobody-here is not in /etc/passwd of keepalived {daemon.pid}",)


def test_a_program_that_others_may_change_is_refused_with_script_security(daemon: Keepalived, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only a script of root is refused")
    loose = tmp_path / "x.sh"
    loose.write_text("#!/bin/nowhere\n")
    loose.chmod(0o777)
    prospect = prospect_of(daemon, script(str(loose)), {**SETTINGS, "enable_script_security": ""})
    assert any("enable_script_security refuses it: users other than root may change /" in p for p in prospect.problems)
    assert "needs /bin/nowhere, which does not exist" in prospect.refused
    assert not any("enable_script_security" in p for p in prospect_of(daemon, script(str(loose)), SETTINGS).problems)


# --- the network


@pytest.fixture
async def server() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
        code = b"503 No" if b"/down" in request else b"200 OK"
        writer.write(b"HTTP/1.0 " + code + b"\r\n\r\nhello")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("url", "passed", "detail"),
    [
        (Url("/"), True, "/ answers 200"),
        (Url("/down"), False, "/down answers 503, not 200-299"),
        (Url("/", digest="5d41402abc4b2a76b9719d911017c592"), True, "/ answers 200"),
        (Url("/", digest="0" * 32), False, "with another text than the digest's"),
        (Url("/", regex=True), None, "kvtui does not try its regex"),
    ],
)
async def test_http(server: int, daemon: Keepalived, url: Url, passed: bool | None, detail: str) -> None:
    check = Check("HTTP_GET", "x", address="127.0.0.1", port=server, urls=(url,))
    found = await result_of(daemon, check)
    assert found.passed is passed
    assert detail in found.detail


async def test_a_refused_connection_fails(daemon: Keepalived) -> None:
    found = await result_of(daemon, Check("TCP_CHECK", "x", address="127.0.0.1", port=1, timeout=5))
    assert (found.passed, found.detail) == (False, "127.0.0.1:1: connection refused")


# --- trials before a reload


class Fake:
    """Counts the runs."""

    def __init__(self) -> None:
        self.runs = 0

    def prospect(self, keepalived: Keepalived, check: Check, settings: Mapping[str, str]) -> Prospect:
        del keepalived, settings
        return Prospect(check)

    async def run_check(self, keepalived: Keepalived, prospect: Prospect) -> CheckResult:
        del keepalived
        self.runs += 1
        return CheckResult(prospect.check, passed=self.runs > 1, detail="exit status 1")


async def test_a_second_plan_does_not_run_the_checks_again(daemon: Keepalived) -> None:
    now = [0.0]
    trials, fake = Trials(lambda: now[0]), Fake()
    old, new = conf(), replace(conf(), checks=(script("x"), replace(script("y"), name="other")))
    first = await trials.try_checks(fake, daemon, old, new)
    assert await trials.try_checks(fake, daemon, old, new) is first
    assert fake.runs == 2
    texts = [note.text for note in trial_notes(first)]
    assert texts == [
        "vrrp_script chk fails: exit status 1: no instance tracks it",
        "tried now, pass: vrrp_script other",
    ]
    now[0] = 60.0
    await trials.try_checks(fake, daemon, old, new)
    assert fake.runs == 4
    assert json.dumps(texts)


@pytest.mark.parametrize(("version", "disabled"), [("2.2.7", False), ("2.3.3", True)])
async def test_since_2_3_a_folder_that_is_a_link_disables_a_script_of_root(
    daemon: Keepalived, tmp_path: Path, version: str, disabled: bool
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "ok").symlink_to("/usr/bin/true")
    (tmp_path / "bin").symlink_to("real")
    found = await result_of(replace(daemon, version=version), script(f"{tmp_path}/bin/ok"))
    assert found.disabled is disabled
    assert (f"its folder {tmp_path}/bin is a symbolic link" in found.detail) is disabled
    assert ("runs without it" in found.sentence) is disabled
