"""Commands whose output nobody reads: signals end them, and --watch drops outdated documents."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.output.unread import SIGNALS, Pipe, end, is_stuck, kvtui, until
from tests.ui.pseudo_terminal import PseudoTerminal

WATCHES = {
    "json": ("--demo", "vips", "-o", "json", "--watch"),
    "yaml": ("--demo", "status", "-o", "yaml", "--watch"),
    "text": ("--demo", "ipvs", "--watch"),
    "triage": ("--demo", "triage", "--watch"),
}
ONCE = {
    "one document": ("--demo", "ipvs", "-o", "json"),
    "trace": ("--demo", "trace", "10.4.0.50"),
    "help": ("--help",),
    "schema": ("schema",),
    "completion": ("completion", "bash"),
}
COMPLETION = {"_KVTUI_COMPLETE": "complete_lines", "_KVTUI_LINE": "kvtui --demo drain "}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("arguments", [*WATCHES.values(), *ONCE.values()], ids=[*WATCHES, *ONCE])
def test_a_signal_ends_a_command_whose_stdout_nobody_reads(arguments: tuple[str, ...], number: signal.Signals) -> None:
    with kvtui(*arguments, stdout=Pipe()) as process:
        until(lambda: is_stuck(process.pid, 1), "the command waits for its reader")
        end(process, number)
        assert process.returncode == (130 if number is signal.SIGINT else -number)


def test_ctrl_c_ends_a_completion_that_the_shell_does_not_read() -> None:
    with kvtui(stdout=Pipe(), env=COMPLETION) as process:
        until(lambda: is_stuck(process.pid, 1), "the names wait for their reader")
        end(process, signal.SIGINT)
        assert process.returncode == 130


def test_a_usage_error_that_nobody_reads_ends() -> None:
    with kvtui("nonsense", stderr=Pipe()) as process:
        assert process.wait(60) == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_watch_without_changes_ends_with_its_reader(form: str) -> None:
    pipe = Pipe(filled=False)
    with kvtui("--no-kube", "vrrp", "--watch", "-o", form, stdout=pipe) as process:
        assert os.read(pipe.reader, 1)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), pipe.reader)
        assert process.wait(60) == 1


def test_watched_documents_stay_whole_and_those_that_nobody_read_are_dropped() -> None:
    pipe = Pipe(filled=False)
    with kvtui("--interval", "0.2", *WATCHES["json"], stdout=pipe) as process:
        until(lambda: is_stuck(process.pid, 1), "the pipe is full")
        stuck = time.time()
        until(lambda: time.time() > stuck + 4, "time passes")
        resumed = time.time()
        with os.fdopen(os.dup(pipe.reader), "rb") as lines:
            times: list[float] = []
            while not times or times[-1] <= resumed:
                times.append(datetime.fromisoformat(json.loads(lines.readline())["time"]).timestamp())
        end(process, signal.SIGINT)
    assert times == sorted(times)
    # in the pipe, half written, pending, and after it; without dropping there would be 20
    assert len(times) <= 8
    assert max(b - a for a, b in pairwise(times)) > 2


def test_ctrl_c_at_the_question_needs_no_answer() -> None:
    with PseudoTerminal("--demo", "drain", "10.2.68.5:8080") as terminal:
        terminal.shows("Apply? [y/N]")
        terminal.press("\x03")
        assert terminal.ended() == 130


@pytest.mark.parametrize(("answer", "code"), [("y\r", 0), ("n\r", 3), ("\x04", 3)], ids=["yes", "no", "end of file"])
def test_the_answer_is_read(answer: str, code: int) -> None:
    with PseudoTerminal("--demo", "drain", "10.2.68.5:8080") as terminal:
        terminal.shows("Apply? [y/N]")
        terminal.press(answer)
        assert terminal.ended() == code
