"""ConfLayer notices each change of a keepalived's config and drops a removed one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.linux.procfs import start_ticks
from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.model.source import SourceState
from tests.kit import keepalived

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.keepalived import Keepalived


def alive(root: Path) -> Keepalived:
    """Returns a running keepalived; this process stands in for it."""
    ticks = start_ticks(os.getpid())
    return replace(keepalived(), pid=os.getpid(), start_ticks=ticks, conf="/keepalived.conf", root=str(root))


def test_the_config_of_a_keepalived_that_ended_is_kept(tmp_path: Path) -> None:
    """keepalived crashed and its root is gone. The config still names the VIPs that it left behind."""
    with subprocess.Popen(["sleep", "600"]) as process:
        running = replace(alive(tmp_path / "root"), pid=process.pid, start_ticks=start_ticks(process.pid))
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "keepalived.conf").write_text(conf_of("vips"))
        layer = ConfLayer(running)
        layer.read(1.0)
        process.kill()
        process.wait()
    (tmp_path / "root").rename(tmp_path / "gone")
    layer.read(2.0)
    assert layer.file is not None
    assert layer.source().detail == "as last read: keepalived has ended"
    layer.read(3.0)
    assert layer.file is not None


def test_an_incomplete_config_of_a_keepalived_that_ended_is_not_used(tmp_path: Path) -> None:
    """The main file is still there, and the included file is gone."""
    with subprocess.Popen(["sleep", "600"]) as process:
        running = replace(alive(tmp_path), pid=process.pid, start_ticks=start_ticks(process.pid))
        (tmp_path / "keepalived.conf").write_text("include /more.conf\n")
        (tmp_path / "more.conf").write_text(conf_of("vips"))
        layer = ConfLayer(running)
        layer.read(1.0)
        process.kill()
        process.wait()
    (tmp_path / "more.conf").unlink()
    layer.read(2.0)
    assert layer.file is not None
    assert [i.name for i in layer.file.instances] == ["vips"]
    assert layer.source().detail == "as last read: keepalived has ended"


def test_a_removed_config_is_reported(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text("vrrp_instance vips {\n virtual_router_id 50\n}\n")
    layer = ConfLayer(alive(tmp_path))
    layer.read(1.0)
    conf.unlink()
    layer.read(2.0)
    assert layer.file is None
    assert "does not exist" in layer.source().detail


def test_a_config_that_is_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keepalived.conf")
    layer = ConfLayer(alive(tmp_path))
    for now in (1.0, 2.0):
        layer.read(now)
        assert layer.file is None
        assert layer.source().state is SourceState.UNAVAILABLE
        assert layer.source().detail.endswith("it is a FIFO, not a regular file")


def conf_of(text: str) -> str:
    return f"vrrp_instance {text} {{\n virtual_router_id 50\n}}\n"


def test_an_edit_of_the_same_length_and_time_is_noticed(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(conf_of("one"))
    layer = ConfLayer(alive(tmp_path))
    layer.read(1.0)
    before = conf.stat()
    conf.write_text(conf_of("two"))
    os.utime(conf, ns=(before.st_atime_ns, before.st_mtime_ns))
    layer.read(2.0)
    assert layer.file is not None
    assert [i.name for i in layer.file.instances] == ["two"]


def test_a_symlink_is_followed_inside_the_root(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    real = tmp_path / "data" / "real.conf"
    real.write_text(conf_of("one"))
    os.utime(real, (1, 1))
    (tmp_path / "keepalived.conf").symlink_to("/data/real.conf")
    os.utime(tmp_path, (1, 1))
    layer = ConfLayer(alive(tmp_path))
    layer.read(1.0)
    real.write_text(conf_of("another"))
    os.utime(real, (2, 2))
    layer.read(2.0)
    assert layer.file is not None
    assert [i.name for i in layer.file.instances] == ["another"]


def test_a_new_file_in_a_folder_of_includes_is_noticed(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text("include /*.inc\n")
    for path in (conf, tmp_path):
        os.utime(path, (1, 1))
    layer = ConfLayer(alive(tmp_path))
    layer.read(1.0)
    (tmp_path / "more.inc").write_text(conf_of("included"))
    layer.read(2.0)
    assert layer.file is not None
    assert [i.name for i in layer.file.instances] == ["included"]


def test_an_unchanged_config_is_the_same_object(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(conf_of("one"))
    layer = ConfLayer(alive(tmp_path))
    layer.read(1.0)
    first = layer.file
    layer.read(2.0)  # the file is so new that it is read again
    assert layer.file is first is not None
