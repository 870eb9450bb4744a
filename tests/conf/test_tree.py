"""The tree: nothing is lost, pieces have their places, trouble has a line and a column."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.conf.tree import Block, Statement, StatementKind, TokenKind, Trivia, parse, read_text
from kvtui.model.conf import ProblemKind
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


def at_offset(text: str, line: int, column: int) -> int:
    """The offset of a place, which must lie in the text (or just behind its last character)."""
    lines = text.split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1
    return sum(len(before) + 1 for before in lines[: line - 1]) + column - 1


def check(text: str) -> None:
    """What holds for every text."""
    tree = parse(text)
    assert tree.text() == text
    position = 0
    for token in tree.tokens():
        position += len(token.before)
        assert token.offset == position
        assert text[position : position + len(token.text)] == token.text
        assert at_offset(text, token.line, token.column) == position
        position += len(token.text)
    for problem in tree.problems:
        assert problem.kind is ProblemKind.SYNTAX
        assert text[at_offset(text, problem.at.line, problem.at.column)] in '{}"'


def test_there_are_real_files() -> None:
    assert len(list(shared_path("confs").glob("*.conf"))) > 70


@pytest.mark.parametrize("path", CONFS, ids=lambda p: p.stem)
def test_a_real_file_survives(path: Path) -> None:
    text = read_text(str(path))
    assert text.encode("utf-8", "surrogateescape") == path.read_bytes()
    check(text)
    check(text.replace("\n", "\r\n"))


@given(any_text)
def test_any_text_survives(text: str) -> None:
    check(text)


@given(st.one_of(grammar_shaped, spaced))
@settings(max_examples=400)
def test_text_of_the_grammars_own_parts_survives(text: str) -> None:
    check(text)


@given(st.binary(max_size=200))
def test_any_bytes_survive_a_file(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "keepalived.conf"
    path.write_bytes(data)
    text = parse(read_text(str(path))).text()
    assert text.encode("utf-8", "surrogateescape") == data


def statement(text: str) -> Statement:
    node = parse(text).nodes[0]
    assert isinstance(node, Statement)
    return node


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
    found = [word.value for word in statement(text).words]
    assert found == [value.replace("\\", "") for value in values]


def test_a_word_knows_its_place() -> None:
    words = statement('\tnotify  "a b"  root\n').words
    assert [(w.text, w.line, w.column, w.offset) for w in words] == [
        ("notify", 1, 2, 1),
        ('"a b"', 1, 10, 9),
        ("root", 1, 17, 16),
    ]


def block(text: str) -> Block:
    node = next(n for n in parse(text).nodes if isinstance(n, Block))
    assert node.closing
    return node


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
    found = block(text)
    assert [w.value for w in found.words] == ["a", "b"]
    inner = [n for n in found.children if isinstance(n, Statement)]
    assert [[w.value for w in n.words] for n in inner] == [["c"]]
    assert parse(text).problems == ()


def test_nested_blocks() -> None:
    outer = block("a {\n b { c { d } e }\n f\n}\n")
    inner = [n for n in outer.children if isinstance(n, Block | Statement)]
    assert [n.keyword for n in inner] == ["b", "f"]


def test_comments_are_nodes() -> None:
    *lines, last = parse("# one\n\n! two\nx # three\n").nodes
    assert [n.comment for n in lines if isinstance(n, Trivia)] == ["# one", None, "! two"]
    assert isinstance(last, Statement)
    assert [t.text for t in last.tokens if t.kind is TokenKind.COMMENT] == ["# three"]


def test_conditions() -> None:
    found = statement("@^low  priority 5")
    assert (found.condition, [w.value for w in found.words]) == ("@^low", ["priority", "5"])


def test_a_macro_definition_keeps_its_lines_together() -> None:
    nodes = parse("$A= \\\n x { \\\n @low y \\\n }\nnext\n").nodes
    assert [n.kind for n in nodes if isinstance(n, Statement)] == [StatementKind.DEFINITION, StatementKind.PLAIN]


def test_a_comment_line_ends_a_macro_definition() -> None:
    nodes = parse("$A= \\\n x \\\n # no\n y \\\n").nodes
    assert [type(n).__name__ for n in nodes] == ["Statement", "Trivia", "Statement"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("include a*.conf", StatementKind.INCLUDE),
        ("includem /a b", StatementKind.INCLUDE),
        ("includex /a", StatementKind.PLAIN),
        ("include", StatementKind.PLAIN),
        ("~SEQ(I, 1, 2) ${I} { }", StatementKind.SEQUENCE),
        ("$A=1 { }", StatementKind.DEFINITION),
        ("$A =1", StatementKind.PLAIN),
    ],
)
def test_kinds(line: str, kind: StatementKind) -> None:
    assert statement(line).kind is kind


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a {\n", [(1, 3)]),
        ("a {\n b {\n}\n", [(1, 3)]),
        ("a\n  {\nb\n", [(2, 3)]),
        ("a {\n}\n}\n", [(3, 1)]),
        ("a { } }", [(1, 7)]),
        ("{\n}\n", [(1, 1)]),
        ("a { }\n  { }\n", [(2, 3)]),
        ('\n notify "x\n', [(2, 9)]),
        ('a "b" "c {', [(1, 7)]),
        ("a # {\n", []),
        ('a "{"\n', []),
        ("a ${B}\n", []),
        ("@low a {\n@high b {\n}\n", []),
    ],
)
def test_trouble_has_its_place(text: str, places: list[tuple[int, int]]) -> None:
    assert [(p.at.line, p.at.column) for p in parse(text, "x.conf").problems] == places


def test_trouble_names_the_file() -> None:
    problem = parse("vrrp_instance V {\n", "/etc/x.conf").problems[0]
    assert str(problem.at) == "/etc/x.conf:1:17"
    assert problem.message == "The block 'vrrp_instance V' is not closed: a '}' is missing"


@pytest.mark.parametrize(
    "unit",
    ["a { b } # c\n", "{", "}", '"', "${a1", "1", "\\", "a\n{", "# c\n", "$A= \\\n", '"a" ', "@x ", "~SEQ(", "a\\#"],
)
def test_time_grows_with_the_length_only(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "${a" + unit * (size // len(unit))
        start = time.thread_time()
        parse(text)
        return time.thread_time() - start

    # eight times the text: linear is 8, quadratic is 64; the best of three takes, of which the first mostly will do
    most = 30 * max(0.001, min(seconds(8_000) for _ in range(3)))
    assert any(seconds(64_000) < most for _ in range(3))
