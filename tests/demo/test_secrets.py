"""No view, document, plan, journal or log shows a password or a key of the config."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from kvtui.backend.demo import Demo
from kvtui.backend.demo.conf_text import initial_text
from kvtui.backend.diagnostics.redact import redact
from kvtui.model.vrrp import AuthHmac, HmacMode
from tests.demo.learner import learner
from tests.ui.seen import painted

if TYPE_CHECKING:
    from pathlib import Path

HEX, ASCII, QUOTED, MACRO, PASSWORD, FILE = (
    "00112233445566778899aabbccddeeff" * 2,
    "an-ascii-key-of-thirty-two-bytes",
    "another key of thirty-two bytes!",
    "a-macro-for-a-key-of-32-bytes---",
    "s3cr3tpw",
    "file:/etc/keepalived/vrrp50.key",
)
NEW = "ffeeddccbbaa99887766554433221100" * 2
SECRETS = (HEX, NEW, ASCII, QUOTED, MACRO, PASSWORD)
BLOCKS = f"""  auth_hmac {{
    key 1 hex:{HEX}
    key 5 {FILE}
    key 2 {ASCII}
    key 3 "{QUOTED}"
    key 4 $SHARED
    active_key 1
    mode permissive
  }}
  authentication {{
    auth_type PASS
    auth_pass {PASSWORD}
  }}
"""
RUNNING = f"$SHARED={MACRO}\n" + initial_text().replace("  advert_int 1\n", f"  advert_int 1\n{BLOCKS}", 1)
SAVED = RUNNING.replace(HEX, NEW)

PROGRAM = """
import sys
import kvtui.backend.demo as package
from msgspec.structs import replace
from kvtui.cli import main
from tests.demo.test_secrets import KeyedDemo
package.Demo = KeyedDemo
for line in sys.stdin.read().splitlines():
    print(">>>", line, main.run(lambda _: None, ["--demo", *line.split()]), flush=True)
"""
VIEWS = ("status", "vrrp", "vips", "ipvs", "mappings", "triage", "trace 10.4.0.50", "render --diff")
ACTIONS = ("reload", "priority vips 90", "failover vips", "drain 10.4.0.61")
COMMANDS = (
    *(f"{view} -o {form}" for view in VIEWS for form in ("text", "json")),
    *(f"{options} {action}" for action in ACTIONS for options in ("--dry-run", "--yes", "-o json --yes")),
    "journal",
)


class KeyedDemo(Demo):
    """A demo whose keepalived runs one key, and whose file has another key."""

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.world.changes = replace(self.world.changes, run=RUNNING, saved=SAVED)


def assert_no_secret(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def test_no_command_prints_one(tmp_path: Path) -> None:
    env = {**os.environ, "KVTUI_STATE_DIR": str(tmp_path), "KVTUI_DEBUG": str(tmp_path / "debug.log")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="\n".join(COMMANDS), capture_output=True, text=True, check=True, env=env
    )
    printed = done.stdout + done.stderr
    assert [line for line in printed.splitlines() if line.startswith(">>>")] != []
    assert printed.count(">>>") == len(COMMANDS)
    assert "key 1 ********" in printed  # the plan of the reload shows that the key changes
    assert FILE in printed
    for text in (printed, *(file.read_text() for file in tmp_path.rglob("*") if file.is_file())):
        assert_no_secret(text)


async def test_no_screen_and_no_plan_shows_one() -> None:
    async with learner((120, 100)) as person:
        person.demo.world.changes = replace(person.demo.world.changes, run=RUNNING, saved=SAVED)
        for key in "2345781":
            await person.press(key, "enter")
            assert_no_secret("\n".join(painted(person.app)))
            await person.press("escape")
        await person.press("r")
        assert_no_secret(await person.sees("key 1 ********"))
        await person.press("y")
        await person.sees("reloaded")
        await person.press("escape", "8")
        assert_no_secret(await person.sees("reload"))


async def test_a_snapshot_contains_none() -> None:
    snapshot = await KeyedDemo().read()
    assert snapshot.conf is not None
    known = snapshot.conf.instances[0]
    # VRRP version 3 has no passwords: keepalived ignores it
    assert (known.auth_type, known.auth_hmac) == (None, AuthHmac(HmacMode.PERMISSIVE, 1, (1, 5, 2, 3, 4), 5))
    assert_no_secret(repr(snapshot))
    assert_no_secret(msgspec.json.encode(snapshot.conf).decode())


@pytest.mark.parametrize("line", [*BLOCKS.splitlines(), f"$SHARED_KEY={MACRO}"])
def test_a_crash_report_and_a_debug_log_contain_none(line: str) -> None:
    assert_no_secret(redact(f"ValueError: {line.strip()}\n  lines = {[line]!r}\n{line}"))
