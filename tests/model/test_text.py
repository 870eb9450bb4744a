"""Text from outside becomes one line of printable characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.model.text import MAX_CHARACTERS, REPLACEMENT, plain

ESC = "\x1b"
OUTSIDE = st.text(st.characters(codec=None, exclude_categories=()))


@given(OUTSIDE)
@settings(deadline=None)
def test_the_result_is_one_line_of_printable_characters(text: str) -> None:
    clean = plain(text)
    assert not [c for c in clean if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"}]
    assert len(clean.splitlines()) <= 1
    assert len(clean) <= MAX_CHARACTERS


@given(OUTSIDE, st.integers(1, 40))
@settings(deadline=None)
def test_the_length_is_limited_and_a_cut_is_marked(text: str, limit: int) -> None:
    clean = plain(text, limit)
    joining = [
        c for c in text if unicodedata.category(c)[0] == "M" or "\u1160" <= c <= "\u11ff" or "\ud7b0" <= c <= "\ud7ff"
    ]
    assert (
        min(len(text), limit) - len(joining) <= len(clean) <= min(len(text), limit)
    )  # a long run of combining marks is cut
    assert clean.endswith("…") or len(text) <= limit


@given(OUTSIDE)
@settings(deadline=None)
def test_plain_text_is_unchanged(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=MAX_CHARACTERS))
@settings(deadline=None)
def test_printable_ascii_is_unchanged(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("default/nginx", "default/nginx"),
        ("[bold red]x[/]", "[bold red]x[/]"),
        (f"a{ESC}[2Jb", f"a{REPLACEMENT}[2Jb"),
        ("a\nb\r\u2028c\x85d", "a⏎b⏎⏎c⏎d"),
        ("a\tb\vc", "a b c"),
        ("abc\u202etxt.exe", f"abc{REPLACEMENT}txt.exe"),
        ("\u2066x\u2069\u200b\ufeff", f"{REPLACEMENT}x{REPLACEMENT * 3}"),
        ("\x9b31m", f"{REPLACEMENT}31m"),
        ("\ud800", REPLACEMENT),
        ("\ue000", REPLACEMENT),
        ("Grüße 日本", "Grüße 日本"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_megabyte_is_cut_without_being_scanned() -> None:
    assert plain("x" * 1_000_000) == "x" * (MAX_CHARACTERS - 1) + "…"
