"""The tree: each word has its location; an unbalanced brace or quote has a line and a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.conf.tree import Piece, Problems, Statement, as_written, build
from kvtui.backend.linux.files import read_text
from kvtui.model.conf import Problem, ProblemKind
from tests.growth import ratio
from tests.shared import SHARED, shared_path

if TYPE_CHECKING:
    from pathlib import Path

CONFS = sorted((SHARED / "confs").glob("*.conf"))

KEYWORDS = ["vrrp_instance", "virtual_ipaddress", "priority", "include", "real_server", "@low", "@^low", "$A=", "$A"]
MARKS = [
    "{",
    "}",
    '"',
    "#",
    "!",
    "\\",
    "${A}",
    "${",
    "~SEQ(I,1,3)",
    "~LST(I,a,b)",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\0",
]
WORDS = [*KEYWORDS, *MARKS, "10.0.0.1/24", "100", "é", "\udcff", "\ud800", "\x0b", "\x85", "\u2028"]
grammar_shaped = st.lists(st.sampled_from(WORDS), max_size=60).map("".join)
spaced = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)


def parse(text: str, file: str = "") -> tuple[Statement, list[Piece], list[Problem]]:
    problems = Problems()
    pieces = list(as_written(text, problems, file))
    return build(pieces, problems), pieces, problems


def check(text: str) -> None:
    """Checks that each piece's characters are those at its locations, in the order of the text."""
    _, pieces, problems = parse(text)
    lines = text.split("\n")
    locations = [(piece.line, column) for piece in pieces for column in piece.columns]
    assert locations == sorted(set(locations))
    for piece in pieces:
        assert "".join(lines[piece.line - 1][column - 1] for column in piece.columns) == piece.text
    for problem in problems:
        assert problem.kind is ProblemKind.SYNTAX
        assert 1 <= problem.at.line <= len(lines)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1])


def test_there_are_real_files() -> None:
    assert len(list(shared_path("confs").glob("*.conf"))) > 70


@pytest.mark.parametrize("path", CONFS, ids=lambda p: p.stem)
def test_the_pieces_of_a_real_file_have_their_locations(path: Path) -> None:
    text = read_text(str(path))
    assert text.encode("utf-8", "surrogateescape") == path.read_bytes()
    check(text)
    check(text.replace("\n", "\r\n"))


@given(any_text)
def test_the_pieces_of_any_text_have_their_locations(text: str) -> None:
    check(text)


@given(st.one_of(grammar_shaped, spaced))
@settings(max_examples=400)
def test_the_pieces_of_config_like_text_have_their_locations(text: str) -> None:
    check(text)


def nodes(text: str) -> list[Statement]:
    return parse(text)[0].children or []


def statement(text: str) -> Statement:
    return nodes(text)[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("priority 100", ["priority", "100"]),
        ("  priority\t100 # low\n", ["priority", "100"]),
        ("priority 100!low", ["priority", "100"]),
        ("prio#rity 100", ["prio"]),
        ('notify "/x a!b" root', ["notify", "/x a!b", "root"]),
        ('notify "a"b', ["notify", "a", "b"]),
        ('a"b c"d', ["a", "b c", "d"]),
        (r"router_id a\#b", ["router_id", r"a\#b"]),
        ("a ${B 1 2} c", ["a", "${B 1 2}", "c"]),
        ("a\r\n", ["a"]),
        ('a ""', ["a", ""]),
    ],
)
def test_words(text: str, values: list[str]) -> None:
    assert statement(text).words == [value.replace("\\", "") for value in values]


def test_a_word_has_its_location() -> None:
    found = statement('\tnotify  "a b"  root\n')
    words = [(found.written(n), found.at(n).line, found.at(n).column) for n in range(3)]
    assert words == [("notify", 1, 2), ('"a b"', 1, 10), ("root", 1, 17)]


@pytest.mark.parametrize(
    "text",
    [
        "a b {\n c\n}\n",
        "a b\n{\n c }\n",
        "a b # why\n\n # not\n {\nc\n}",
        "a b {c}",
        "a b{ c }",
        "a b\r\n{\r\nc\r\n}\r\n",
    ],
)
def test_blocks(text: str) -> None:
    found = statement(text)
    assert found.words == ["a", "b"]
    assert [inner.words for inner in found.children or ()] == [["c"]]
    assert parse(text)[2] == []


def test_nested_blocks() -> None:
    outer = statement("a {\n b { c { d } e }\n f\n}\n")
    assert [(n.keyword, n.children is None) for n in outer.children or ()] == [("b", False), ("f", True)]


def test_comments_are_dropped() -> None:
    assert [n.words for n in nodes("# one\n\n! two\nx # three\n")] == [["x"]]


def test_conditions() -> None:
    found = statement("@^low  priority 5")
    assert found.piece is not None
    assert (found.piece.condition, found.literal, found.words) == ("@^low", False, ["priority", "5"])


def directives(text: str) -> list[bool]:
    return [piece.directive for piece in parse(text)[1]]


def test_a_macro_definition_keeps_its_lines_together() -> None:
    assert directives("$A= \\\n x { \\\n @low y \\\n }\nnext\n") == [True, False]


def test_a_comment_line_ends_a_macro_definition() -> None:
    assert directives("$A= \\\n x \\\n # no\n y \\\n") == [True, False]


@pytest.mark.parametrize(
    ("line", "directive"),
    [
        ("include a*.conf", True),
        ("includem /a b", True),
        ("includex /a", False),
        ("include", False),
        ("~SEQ(I, 1, 2) ${I} { }", True),
        ("$A=1 { }", True),
        ("$A =1", False),
    ],
)
def test_directives(line: str, *, directive: bool) -> None:
    assert directives(line) == [directive]


@pytest.mark.parametrize(
    ("text", "locations"),
    [
        ("a {\n", [(1, 1)]),
        ("a {\n b {\n}\n", [(1, 1)]),
        ("a\n  {\nb\n", [(1, 1)]),
        ("a {\n}\n}\n", [(3, 1)]),
        ("a { } }", [(1, 7)]),
        ("{\n}\n", [(1, 1)]),
        ("a { }\n  { }\n", [(2, 3)]),
        ('\n notify "x\n', [(2, 9)]),
        ('a "b" "c {', [(1, 7)]),
        ("a # {\n", []),
        ('a "{"\n', []),
        ("a ${B}\n", []),
    ],
)
def test_a_problem_has_its_location(text: str, locations: list[tuple[int, int]]) -> None:
    assert [(p.at.line, p.at.column) for p in parse(text, "x.conf")[2]] == locations


def test_a_problem_names_the_file() -> None:
    problem = parse("vrrp_instance V {\n", "/etc/x.conf")[2][0]
    assert str(problem.at) == "/etc/x.conf:1:1"
    assert problem.message == "The block 'vrrp_instance V' is not closed: a '}' is missing"


@pytest.mark.parametrize(
    "unit",
    ["a { b } # c\n", "{", "}", '"', "${a1", "1", "\\", "a\n{", "# c\n", "$A= \\\n", '"a" ', "@x ", "~SEQ(", "a\\#"],
)
def test_parsing_time_is_linear(unit: str) -> None:
    def text(size: int) -> str:
        return "${a" + unit * (size // len(unit))

    short, long = text(8_000), text(64_000)
    # eight times the text: linear is 8, quadratic is 64
    assert ratio(lambda: parse(long), to=lambda: parse(short)) < 30
