"""Views print text from outside safely: no control characters, no bidi overrides, few combining marks."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from kvtui.actions.equivalent_commands import of_instance, of_vip
from kvtui.cli.look import Look
from kvtui.cli.views import render
from kvtui.model.text import plain, shell_word
from kvtui.observer import TriageRunner
from kvtui.presenters.cells import line_text
from kvtui.presenters.findings import finding_lines
from kvtui.presenters.glyphs import ASCII
from kvtui.presenters.header import header_line
from tests.ui.hostile import HOSTILE, cluster, most_marks, world

VIEWS = ("status", "vrrp", "vips", "ipvs", "mappings")
MARKS = "".join(chr(c) for c in (0x301, 0x489, 0x20E3, 0xFE0F, 0x1161, 0x11FF, 0xE0100))
CONTROLS = "\x00\x07\x08\t\n\r\x1b\x7f\x80\x85\x9b\xad\u061c\u200b\u200e\u200f\u2028\u202e\u2066\u2069\ufeff\U000e0041"
TEXTS = st.text(st.sampled_from(CONTROLS + MARKS + "e[2J;x日\u202d") | st.characters(), max_size=40) | st.sampled_from(
    list(HOSTILE.values())
)


def assert_printable(text: str) -> None:
    for line in text.split("\n"):
        unsafe = [c for c in line if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"}]
        assert unsafe == []
        assert most_marks(line) <= 4, line


@given(TEXTS)
@example("\u0301" * 50)
@example("e" + MARKS * 9)
def test_a_text_is_printable(text: str) -> None:
    for shown in (plain(text), plain(text, 7), plain(text) + plain(text), shell_word(text)):
        assert "\n" not in shown
        assert_printable(shown)


@given(TEXTS)
@example(HOSTILE["control"])
@example(HOSTILE["marks"])
def test_every_view_is_printable(text: str) -> None:
    for observation in (world(text), cluster(text)):
        for view in VIEWS:
            assert_printable(render(observation, view))
            assert_printable(render(observation, view, Look(width=80)))
        triage = TriageRunner()
        for finding in (*(triage.run(observation, force=True).findings or ()), *triage.undecided):
            assert_printable("\n".join(line_text(line) for line in finding_lines(finding)))
        commands = [of_vip(observation, vip) for vip in observation.vips or ()]
        commands += [of_instance(observation, instance) for instance in observation.vrrp_instances or ()]
        assert_printable("\n".join(commands))
        assert_printable(line_text(header_line(observation, "live", 80, ASCII)))
