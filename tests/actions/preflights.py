"""Preflights of configs that a test wrote: kvtui reads the file, the test gives the messages of keepalived."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kvtui.actions.core.preflight import Preflight
from kvtui.backend.conf import copies, reader
from kvtui.backend.config_test import ConfigTest, messages
from tests.kit import NOW, keepalived

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.keepalived import Keepalived

CONF = """\
global_defs {
  vrrp_version 3
}
vrrp_instance vips {
  state BACKUP
  interface eth0
  virtual_router_id 50
  priority 100 ! keep
  nopreempt
  advert_int 1
  virtual_ipaddress {
    10.4.0.50
  }
}
virtual_server 10.4.0.50 80 {
  lvs_sched wlc
  lvs_method NAT
  real_server 10.2.68.5 8080 {
    weight 1
  }
  real_server 10.2.68.6 8080 {
    weight 1
  }
}
"""


def printing(output: str, exit_code: int | None = 5, **changes: Any) -> ConfigTest:
    """Returns a config test that printed this."""
    return ConfigTest(exit_code, messages=messages(output, frozenset(), {}), **changes)


CLEAN = ConfigTest(0)


def daemon(folder: Path, **changes: Any) -> Keepalived:
    """Returns a keepalived whose config is in ``folder``; it has the PID of this process, so that it runs."""
    return keepalived(**{"pid": os.getpid(), "root": "", "conf": str(folder / "keepalived.conf"), **changes})


def preflight_of(
    folder: Path,
    text: str | None = CONF,
    running: str | None = CONF,
    test: ConfigTest | None = CLEAN,
    daemon_changes: dict[str, Any] | None = None,
    **changes: Any,
) -> Preflight:
    """Returns the preflight with ``text`` on disk while keepalived runs with ``running``."""
    subject = daemon(folder, **(daemon_changes or {}))
    path = folder / "keepalived.conf"
    lines, confs = {}, {}
    for key, content in (("running", running), ("saved", text)):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
            confs[key] = reader.read(subject.conf, now=NOW)
            lines[key] = copies.saved_lines(subject.conf)
    base: dict[str, Any] = {
        "conf": confs.get("saved"),
        "error": "" if text is not None else f"{subject.conf} does not exist",
        "running": confs.get("running"),
        "saved_lines": lines.get("saved"),
        "running_lines": lines.get("running"),
        "test": test,
    }
    return Preflight(subject, **{**base, **changes})


def tracked(folder: Path, weight: int, value: int | None = None) -> str:
    control = folder / "offset"
    if value is not None:
        control.write_text(f"{value}\n")
    head = f"track_file offset {{\n file {control}\n weight {weight}\n}}\n"
    return head + CONF.replace("  nopreempt\n", "  track_file {\n offset\n}\n")
