"""The config of a keepalived that dies between two looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.model.source import SourceState
from tests.build import keepalived

if TYPE_CHECKING:
    from pathlib import Path


def test_a_death_that_is_noticed_later_loses_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    conf = root / "keepalived.conf"
    conf.write_text("vrrp_instance vips {\n virtual_router_id 50\n}\n")
    layer = ConfLayer(replace(keepalived(), conf="/keepalived.conf", root=str(root)))
    layer.read(1.0)
    assert layer.file is not None

    root.rename(tmp_path / "gone")
    layer.read(2.0)
    assert layer.file is not None
    layer.mark_gone()
    assert layer.source().state is SourceState.DEGRADED
    assert layer.source().read_at == 1.0


def test_a_config_that_is_removed_is_said_to_be(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text("vrrp_instance vips {\n virtual_router_id 50\n}\n")
    layer = ConfLayer(replace(keepalived(), conf="/keepalived.conf", root=str(tmp_path)))
    layer.read(1.0)
    conf.unlink()
    layer.read(2.0)
    assert layer.file is None
    assert "does not exist" in layer.source().detail
