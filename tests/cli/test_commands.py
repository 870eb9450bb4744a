"""An operator or a script calls the command: a separate process, real streams, real exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kvtui import __version__
from kvtui.presenters.schema import schema
from tests.signals import DEFAULT_SIGNALS

KVTUI = [sys.executable, "-m", "kvtui"]
ENV = {k: v for k, v in os.environ.items() if not k.startswith("KVTUI_")}


def kvtui(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KVTUI, *arguments], capture_output=True, text=True, check=False, timeout=300, env={**ENV, **env}
    )


def test_version_and_schema() -> None:
    assert kvtui("--version").stdout == f"kvtui {__version__}\n"
    assert json.loads(kvtui("schema").stdout) == schema()


def test_help_of_every_command_has_an_example() -> None:
    top = kvtui("--help").stdout
    for command in ("status", "vrrp", "vips", "ipvs", "mappings", "trace", "triage", "schema"):
        assert command in top
        assert re.search("Examples?: kvtui", kvtui(command, "--help").stdout)


@pytest.mark.parametrize("arguments", [("status", "-o", "json"), ("-o", "json", "status")])
def test_demo_status_is_a_document_of_the_schema(arguments: tuple[str, ...]) -> None:
    done = kvtui("--demo", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    jsonschema.validate(json.loads(done.stdout), schema())


def test_the_environment_mirrors_the_options() -> None:
    document = yaml.safe_load(kvtui("status", KVTUI_DEMO="1", KVTUI_OUTPUT="yaml", KVTUI_READ_ONLY="1").stdout)
    assert document["node"]["read_only"] is True
    assert len(document["vips"]) == 5


def test_status_starts_on_any_machine_and_names_missing_sources() -> None:
    done = kvtui("status", "-o", "json")
    assert done.returncode == 0, done.stderr
    sources = {s["name"]: s for s in json.loads(done.stdout)["sources"]}
    assert list(sources) == ["keepalived", "conf", "vrrp", "ipvs", "addresses", "adverts", "kubernetes", "host"]
    assert all(s["detail"] for s in sources.values() if s["state"] != "ok")
    if not Path("/proc/net/ip_vs").exists():
        assert sources["ipvs"]["state"] == "unavailable"
        assert "modprobe ip_vs" in sources["ipvs"]["detail"]


def test_without_a_terminal_kvtui_prints_plain_status_and_the_reason() -> None:
    done = subprocess.run(
        [*KVTUI, "--demo"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=ENV
    )
    assert done.returncode == 0
    assert done.stdout.split("\n")[0].split()[1:3] == ["keepalived", "2.2.7,"]
    assert "stdin, stdout and stderr are not terminals" in done.stderr
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("arguments", [("nonsense",), ("status", "-o", "xml"), ("--interval", "0", "status")])
def test_a_usage_error_is_2_and_on_stderr(arguments: tuple[str, ...]) -> None:
    done = kvtui("--demo", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr


def watch(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*DEFAULT_SIGNALS, *KVTUI, "--demo", "--interval", "0.2", *arguments, "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
    )


def test_watch_prints_one_document_per_line_until_interrupted() -> None:
    with watch("vips", "-o", "json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        documents: list[dict[str, Any]] = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == ""
    times = [d["time"] for d in documents]
    assert times == sorted(times)
    assert len(set(times)) == 3


def test_a_closed_pipe_causes_no_traceback() -> None:
    with watch("status", "-o", "json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(60)
        assert "Traceback" not in process.stderr.read()


def test_help_and_version_import_no_heavy_module() -> None:
    code = (
        "import sys; from kvtui.cli.main import run; run(lambda _: None, ['--version']); "
        "print([m for m in ('textual', 'pyroute2', 'psutil', 'kubernetes', 'yaml', 'asyncio', 'rich', 'pydantic') "
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV)
    assert done.stdout.splitlines()[-1] == "[]"


def test_status_imports_no_terminal_ui() -> None:
    code = (
        "import sys; from kvtui.cli.main import run; run(lambda _: None, ['--demo', 'status', '-o', 'json']); "
        "print([m for m in ('textual', 'pyroute2', 'psutil', 'kubernetes', 'yaml', 'rich', 'pydantic') "
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV)
    assert done.stdout.splitlines()[-1] == "[]"


def test_plain_status_imports_no_chain_json_or_triage() -> None:
    code = (
        "import sys; from kvtui.cli.main import run; run(lambda _: None, ['--no-kube', 'status', '--listen', '0']); "
        "names = ('kvtui.rules.chain', 'kvtui.rules.triage', 'kvtui.presenters.documents', "
        "'kvtui.actions.core.runner'); print([m for m in names if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV)
    assert done.stdout.splitlines()[-1] == "[]"


TRACES = {"10.4.0.50": (0, ""), "10.4.0.54": (1, ""), "10.4.0.99": (2, "no layer has the VIP 10.4.0.99")}


@pytest.mark.parametrize(("vip", "ends"), TRACES.items(), ids=list(TRACES))
def test_exit_codes_of_trace(vip: str, ends: tuple[int, str]) -> None:
    done = kvtui("--demo", "trace", vip, "-o", "json")
    assert done.returncode == ends[0]
    assert ends[1] in done.stderr
    assert bool(done.stdout) is (done.returncode != 2)


def test_mappings_are_a_part_of_the_document() -> None:
    done = kvtui("--demo", "mappings", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert list(document) == ["schema", "time", "node", "sources", "mappings"]
    assert [m["vip"] for m in document["mappings"] if m["state"] != "ok"] == ["10.4.0.60", "10.4.0.53"]
