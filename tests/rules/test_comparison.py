"""Which lines of a config nodes compare with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.reload.verifier import configured_weights
from kvtui.backend.conf import reader
from kvtui.rules.cluster.comparison import config_lines

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.conf import Conf


def parsed(folder: Path, text: str) -> Conf:
    path = folder / "keepalived.conf"
    path.write_text(text)
    return reader.read(str(path), now=0.0)


def test_a_virtual_server_without_a_port_is_named_by_its_address(tmp_path: Path) -> None:
    conf = parsed(tmp_path, "virtual_server 10.4.0.50 {\n real_server 10.2.0.5 {\n weight 3\n }\n}\n")
    assert next(line for line in config_lines(conf) if "virtual_server" in line) == "virtual_server 10.4.0.50 UDP"


def test_a_real_server_without_a_port_has_that_of_its_virtual_server(tmp_path: Path) -> None:
    conf = parsed(tmp_path, "virtual_server 10.4.0.50 80 {\n real_server 10.2.0.5 {\n weight 3\n }\n}\n")
    assert configured_weights(conf) == {("10.4.0.50:80", "10.2.0.5:80"): "weight 3"}
