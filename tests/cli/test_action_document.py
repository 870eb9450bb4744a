"""``-o json`` of an action prints one document to stdout in every case; text for people goes to stderr."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from kvtui.actions.core.plan import ActionKind, Plan
from kvtui.actions.core.runner import ExitCode, Outcome
from kvtui.cli.output import Format, encode
from kvtui.model.prediction import Certainty, Prediction, StateChange, VipsChange
from kvtui.presenters.action_document import action_document
from kvtui.presenters.schema import schema
from tests.actions.acting import NOTES
from tests.actions.fakes import note, words
from tests.output.unread import PROJECT, default_signals, until

if TYPE_CHECKING:
    from collections.abc import Callable

ENV = {k: v for k, v in os.environ.items() if not k.startswith(("KVTUI_", "KUBE"))}
PREDICTION = Prediction(
    "VI_1", StateChange("MASTER", "BACKUP"), VipsChange(("10.4.0.50",), ()), "10.9.0.12", False, 3.6,  # noqa: FBT003
    Certainty.CERTAIN, "10.9.0.12 has priority 102",
)  # fmt: skip


def action_schema() -> dict[str, Any]:
    whole = schema()
    return {"$schema": whole["$schema"], "$defs": whole["$defs"], **whole["$defs"]["action"]}


def checked(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, action_schema())
    assert list(document) == ["plan", "outcome", "journal"]
    return document


def kvtui(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kvtui", "--demo", "-o", "json", *arguments]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False, env=ENV
    )


DRAIN = ("drain", "10.2.68.5")
ENDS = {
    "done": ((*DRAIN, "--yes"), 0, True),
    "dry-run": ((*DRAIN, "--dry-run"), 0, True),
    "not confirmed": (DRAIN, 3, True),
    "read-only": ((*DRAIN, "--read-only", "--yes"), 3, True),
    "impossible": (("failover", "vips6", "--yes", "--force"), 3, True),
    "no such server": (("drain", "10.9.9.9"), 2, False),
    "no such instance": (("priority", "VI_9", "100"), 2, False),
    "no such entry": (("undo", "nosuch"), 2, False),
}


@pytest.mark.parametrize(("words", "code", "planned"), ENDS.values(), ids=list(ENDS))
def test_each_end_is_one_document(words: tuple[str, ...], code: int, planned: bool) -> None:
    done = kvtui(*words)
    document = checked(done.stdout)
    outcome = document["outcome"]
    assert (done.returncode, outcome["exit_code"]) == (code, code)
    assert (document["plan"] is not None) is planned
    assert bool(document["journal"]) is (outcome["result"] == "done")
    assert outcome["detail"] in done.stderr
    assert not planned or document["plan"]["summary"] in done.stderr


def test_yaml_is_the_same_document() -> None:
    done = kvtui(*DRAIN, "--dry-run", "-o", "yaml")
    assert checked(json.dumps(yaml.safe_load(done.stdout)))["outcome"]["result"] == "dry-run"


def run_action(folder: Path, when: Callable[[], bool], number: int | None = None, **env: str) -> tuple[int, str, str]:
    """Returns exit code, stdout and stderr of an action on notes; it gets the signal once ``when`` is true."""
    argv = [sys.executable, "-m", "tests.actions.acting", str(folder), "--yes", "json"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=PROJECT,
        env={**ENV, **env}, preexec_fn=default_signals,  # noqa: PLW1509 - no threads run here
    ) as process:  # fmt: skip
        until(when, "the moment of the signal")
        if number is not None:
            process.send_signal(number)
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_action_is_a_document_too(tmp_path: Path, number: int) -> None:
    for name in NOTES:
        note(tmp_path, name)
    code, out, err = run_action(tmp_path, lambda: words(tmp_path, *NOTES) == ["new", "old"], number)
    document = checked(out)
    assert (code, document["outcome"]["exit_code"], document["outcome"]["result"]) == (130, 130, "interrupted")
    assert "everything was put back" in document["outcome"]["detail"]
    assert document["journal"] in err
    assert words(tmp_path, *NOTES) == ["old", "old"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_question_that_a_signal_ends_is_a_document_too(number: int) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "kvtui", *DRAIN, "--demo", "-o", "json"], stdin=theirs, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=ENV, preexec_fn=default_signals,  # noqa: PLW1509 - no threads run here
    ) as process:  # fmt: skip
        assert process.stderr is not None
        prompt = ""
        while "Apply? [y/N]" not in prompt:
            letter = process.stderr.read(1)
            assert letter, prompt
            prompt += letter
        process.send_signal(number)
        out, _err = process.communicate(timeout=300)
    os.close(ours)
    os.close(theirs)
    document = checked(out)
    assert (process.returncode, document["outcome"]["result"]) == (130, "interrupted")
    assert document["plan"]["steps"]
    assert document["journal"] is None


def test_a_failed_action_is_a_document_too(tmp_path: Path) -> None:
    note(tmp_path, "a")
    note(tmp_path, "b", before="somebody's")
    code, out, _err = run_action(tmp_path, lambda: True, PAUSE="0")
    document = checked(out)
    assert (code, document["outcome"]["result"]) == (1, "failed")
    assert "the node changed since the plan was made" in document["outcome"]["detail"]
    assert words(tmp_path, "a", "b") == ["old", "somebody's"]


def test_predictions_are_part_of_plan_and_outcome() -> None:
    plan = Plan(ActionKind.PRIORITY, "VI_1", "priority of VI_1: 103 -> 90", prediction=(PREDICTION,))
    outcome = Outcome(ExitCode.DONE, "seen", "1129-1", as_predicted=True, observed=(PREDICTION,))
    document = checked(encode(action_document(plan, outcome), Format.JSON))
    assert document["plan"]["prediction"] == document["outcome"]["observed"] == [
        {
            "instance": "VI_1",
            "state": {"now": "MASTER", "then": "BACKUP"},
            "vips_here": {"now": ["10.4.0.50"], "then": []},
            "owner_then": "10.9.0.12",
            "two_owners": False,
            "within_seconds": 3.6,
            "certainty": "certain",
            "why": "10.9.0.12 has priority 102",
        }
    ]  # fmt: skip
    assert document["outcome"]["as_predicted"] is True


def test_a_missing_prediction_is_null() -> None:
    plan = Plan(ActionKind.DRAIN, "10.2.68.5", "drain")
    document = checked(encode(action_document(plan, Outcome(ExitCode.DONE, "seen")), Format.JSON))
    assert document["plan"]["prediction"] is None
    assert (document["outcome"]["as_predicted"], document["outcome"]["observed"]) == (None, None)


def test_a_signal_that_was_ignored_at_the_start_stays_ignored(tmp_path: Path) -> None:
    """Under ``nohup`` the terminal may close."""
    for name in NOTES:
        note(tmp_path, name)
    argv = ["nohup", sys.executable, "-m", "tests.actions.acting", str(tmp_path), "--yes", "json"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=PROJECT, env=ENV,
        preexec_fn=default_signals,  # noqa: PLW1509 - no threads run here
    ) as process:  # fmt: skip
        until(lambda: words(tmp_path, *NOTES) == ["new", "old"], "the first note")
        status = Path(f"/proc/{process.pid}/status").read_text()
        ignored = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn:"))
        assert ignored >> signal.SIGHUP - 1 & 1
        process.terminate()
        out, _err = process.communicate(timeout=120)
        assert process.returncode == 130
    assert checked(out.decode())["outcome"]["result"] == "interrupted"


@pytest.mark.parametrize("closed", ["2>&-", "<&-", ">&-"])
def test_an_action_is_carried_out_with_a_closed_stream(closed: str) -> None:
    argv = [sys.executable, "-m", "kvtui", "--demo", "-o", "json", *DRAIN, "--yes"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *argv],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=ENV,
    )
    assert done.returncode == 0
    assert closed == ">&-" or checked(done.stdout)["outcome"]["result"] == "done"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["status"], 1, "cannot write the output: No space left on device"),
        ([*DRAIN, "--yes"], 3, "cannot write the output: No space left on device; nothing was changed"),
    ],
)
def test_a_full_disk_under_stdout_is_reported_in_one_sentence(words: list[str], code: int, error: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kvtui", "--demo", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
            env=ENV,
        )
    assert (done.returncode, done.stderr) == (code, f"kvtui: {error}\n")
