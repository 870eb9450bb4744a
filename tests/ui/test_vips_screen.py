"""Screen 1: below the table, if there is room, the layers of the VIP under the cursor in words."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.model.vrrp import VrrpState
from kvtui.presenters.cells import line_text
from kvtui.rules import chain
from kvtui.screens.detail_pane import DetailPane
from kvtui.widgets.table import LineTable
from kvtui.widgets.tones import Lines
from tests.kit.views import demo, make_observation, real, server, vip
from tests.ui.seen import running

LAYERS = [layer.words for layer in chain.LAYERS]


def layers(lines: list[str]) -> list[str]:
    """Returns the names of the shown layers, in order."""
    return [name for line in lines for name in LAYERS if line[3:].startswith(name)]


async def test_chain_traffic_and_layers_of_the_first_vip_are_below_at_80_by_24() -> None:
    async with running(demo()) as ui:
        assert "CM─Svc─EP─Conf─Run─IPVS─Addr─VRRP  Every layer is ok." in ui.text
        assert "conn/s" in ui.text
        assert "bytes/s" in ui.text
        more = [line_text(line)[2:] for line in ui.app.screen.query_one("#more", Lines).lines]
        assert [name for name in LAYERS if any(line.startswith(name) for line in more)] == LAYERS
        assert layers(ui.lines) == LAYERS[:4]  # the others are below the visible part
        assert "─ 10.4.0.50  default/nginx  on eth0  vips" in ui.text


async def test_the_layers_follow_the_cursor() -> None:
    async with running(demo()) as ui:
        await ui.press("end")

        assert "fd00:10:4::50  default/nginx  on eth0  vips6" in ui.text
        assert "fe80::a4:3 advertises it (another node)" in ui.text


async def test_the_layers_are_updated() -> None:
    async with running(demo(5.0), size=(80, 40)) as ui:
        before = ui.text
        await ui.see(demo(70.0))

        assert "on eth0; this node is MASTER" in before
        assert "not on this node, which is BACKUP" in ui.text


async def test_an_additional_hidden_line_changes_no_layout() -> None:
    """Another height would make Textual send the whole screen: 9 KB."""
    async with running(demo(19.0), demo(19.5)) as ui:
        more = ui.app.screen.query_one("#more", Lines)
        before, height = more.lines, more.size.height
        await ui.see(demo(21.0))
        assert more.lines != before
        assert more.size.height == height


async def test_a_broken_layer_has_its_mark() -> None:
    lost = replace(vip(), present=False, state=VrrpState.MASTER)
    async with running(make_observation(vips=(lost,), servers=(server("10.4.0.50", real()),))) as ui:
        line = next(line for line in ui.lines if line.startswith(" ✗ address  "))
        assert "does not have the address" in line
        assert "─✗ Addr─VRRP" in ui.text


async def test_rows_take_priority_if_there_is_no_room_for_both() -> None:
    many = tuple(vip(f"10.4.1.{n}") for n in range(16))
    async with running(make_observation(vips=many, servers=())) as ui:
        assert "Addr─VRRP" not in ui.text
        await ui.see(make_observation(vips=many[:15], servers=()))

        assert "Addr─VRRP" in ui.text
        assert [f"10.4.1.{n} " in ui.text for n in range(15)] == [True] * 15


async def test_on_a_wide_terminal_the_details_are_on_the_right_and_wrap() -> None:
    many = tuple(vip(f"10.4.1.{n}") for n in range(200))
    async with running(make_observation(vips=many, servers=()), size=(140, 40)) as ui:
        pane, table = ui.app.screen.query_one(DetailPane).region, ui.app.screen.query_one(LineTable).region
        assert (table.x, table.right, pane.right) == (0, pane.x, 140)
        assert 3 * pane.width - 140 in range(-3, 4)
        assert "…" not in "".join(line[pane.x :] for line in ui.lines)


async def test_without_a_vip_there_are_no_layers() -> None:
    async with running(make_observation(vips=(), servers=())) as ui:
        assert layers(ui.lines) == []


async def test_a_filter_that_hides_the_vip_hides_its_layers() -> None:
    async with running(make_observation(vips=(vip(),), servers=())) as ui:
        await ui.press("slash", *"zz")

        assert layers(ui.lines) == []


async def test_ascii_only_draws_only_ascii() -> None:
    async with running(demo(), ascii_only=True) as ui:
        for key in "1", "2", "3", "i", "question_mark", "escape", "colon":
            await ui.press(key)
            assert [line for line in ui.lines if not line.isascii()] == []


async def test_the_filter_takes_its_line_from_the_details_and_not_from_the_rows() -> None:
    async with running(demo()) as ui:
        await ui.press("slash", *"0.51", "enter")
        assert ui.lines[3].startswith("▌  10.4.0.51 ")
