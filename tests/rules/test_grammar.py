"""The ConfigMap's grammar: each row of the contract's table, with Go's pattern as an oracle."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvtui.model.kube import ConfigMap
from kvtui.model.mapping import Dialect, Mapping, MappingState
from kvtui.model.text import plain
from kvtui.rules.mapping import grammar
from kvtui.rules.mapping.grammar import ServiceTarget, parse, parse_all, split
from tests.growth import ratio

VIP = "10.87.2.50"
OK, VIP_ONLY, ERROR = MappingState.OK, MappingState.VIP_ONLY, MappingState.ERROR


def outcome(mapping: Mapping) -> tuple[MappingState, str | None, str | None, str | None]:
    return (mapping.state, mapping.namespace, mapping.service, mapping.method)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("default/nginx", (OK, "default", "nginx", "NAT")),
        ("default/nginx:", (OK, "default", "nginx", "NAT")),
        ("default/nginx:NAT", (OK, "default", "nginx", "NAT")),
        ("default/nginx:DR", (OK, "default", "nginx", "DR")),
        ("default/nginx:PROXY", (OK, "default", "nginx", "PROXY")),
        ("default/nginx:NATX", (OK, "default", "nginx", "NATX")),
        ("default/nginx: DR", (OK, "default", "nginx", " DR")),
        ("default/nginx\n", (OK, "default", "nginx", "NAT")),
        ("default/nginx\ndefault/other:DR", (OK, "default", "nginx", "NAT")),
        ("# comment\ndefault/nginx", (OK, "default", "nginx", "NAT")),
        ("", (VIP_ONLY, None, None, None)),
        *((v, (ERROR, None, None, None)) for v in (
            "default/nginx:nat", "default/nginx:80", "default/nginx:TUN", "default/nginx:DR:80",
            "default/nginx:80:DR", "a/b/c", "nginx", "nginx:NAT", " ", "\n", " default/nginx", "default/nginx ",
            "default / nginx", "/nginx", "default/", "/", ":/:", "default/nginx\r\n", "Default/nginx",
            "default/ngin\N{RIGHT-TO-LEFT OVERRIDE}x",
        )),
    ],
)  # fmt: skip
def test_each_row_of_the_table(value: str, expected: tuple[MappingState, str | None, str | None, str | None]) -> None:
    mapping = parse(VIP, value)
    assert outcome(mapping) == expected
    assert (mapping.vip, mapping.value, mapping.source) == (VIP, value, "configmap")
    assert (mapping.error is not None) is (mapping.state is ERROR)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("nginx", '"nginx" has no slash: expected namespace/service'),
        (
            "default/nginx:nat",
            'unknown method "nat": aledbf accepts NAT, DR and PROXY, in capitals; write NAT',
        ),
        (
            "default/nginx:80",
            (
                'unknown method "80": aledbf accepts NAT, DR and PROXY, in capitals; '
                "a port is not possible: the VIP gets every port of the Service"
            ),
        ),
        (
            "default/nginx:80:DR",
            (
                'invalid name of a Service "nginx:80": the last colon separates Service and method; '
                "the controller does not find the Service and skips the entry"
            ),
        ),
        (
            "a/b/c",
            (
                'invalid name of a namespace "a/b": the last slash separates namespace and Service; '
                "the controller does not find the Service and skips the entry"
            ),
        ),
        (
            "default/nginx ",
            (
                'invalid name of a Service "nginx ": spaces are part of the name; '
                "the controller does not find the Service and skips the entry"
            ),
        ),
        ("default/", "the name of the Service is empty; the controller does not find the Service and skips the entry"),
        (
            f"default/{'x' * 64}",
            (
                f'invalid name of a Service "{"x" * 59}…": 64 characters, the maximum is 63; '
                "the controller does not find the Service and skips the entry"
            ),
        ),
        (
            "default/ngin\N{RIGHT-TO-LEFT OVERRIDE}x",
            (
                'invalid name of a Service "ngin\N{REPLACEMENT CHARACTER}x": only a-z, 0-9 and - are allowed; '
                "the controller does not find the Service and skips the entry"
            ),
        ),
    ],
)
def test_an_error_is_a_plain_sentence(value: str, sentence: str) -> None:
    assert parse(VIP, value).error == sentence


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (
            "default/nginx:NATX",
            (
                'the controller accepts method "NATX" because it contains NAT or DR or PROXY; it writes it unchanged, '
                "and keepalived uses NAT"
            ),
        ),
        (
            "default/nginx: DR ",
            (
                'the controller accepts method " DR " because it contains NAT or DR or PROXY; it writes it unchanged, '
                "and keepalived uses DR"
            ),
        ),
        (
            "default/nginx:XDR",
            (
                'the controller accepts method "XDR" because it contains NAT or DR or PROXY; it writes it unchanged, '
                "and keepalived uses NAT"
            ),
        ),
        (
            "default/nginx:PROXY",
            (
                "PROXY needs the controller's --proxy-protocol-mode; without it the controller writes "
                "`lvs_method PROXY`, and keepalived uses NAT"
            ),
        ),
        (
            "default/nginx\ndefault/b\n",
            "the value has 2 lines: the controller uses only the first one with a slash",
        ),
    ],
)
def test_silent_effects_are_notes(value: str, note: str) -> None:
    assert parse(VIP, value).notes == (note,)


def test_a_method_that_may_break_the_config_is_a_note() -> None:
    notes = parse(VIP, "default/nginx:DR }").notes
    assert len(notes) == 2
    assert notes[1].endswith("the whole config may become invalid")


def test_ordinary_entries_have_no_notes() -> None:
    for value in ("default/nginx", "default/nginx:DR", "default/nginx:", "default/nginx\n", ""):
        assert parse(VIP, value).notes == ()


@pytest.mark.parametrize(
    ("key", "ending"),
    [
        ("vip", "its virtual servers"),
        ("10.4.0", "its virtual servers"),
        ("010.004.000.050", "its virtual servers"),
        ("1-10.4.0.50", "(only a fork supports INDEX-IP@INTERFACE)"),
        ("127.0.0.1", "it is a loopback, multicast, broadcast or unspecified address"),
        ("255.255.255.255", "it is a loopback, multicast, broadcast or unspecified address"),
    ],
)
def test_a_key_that_is_not_a_vip_is_reported(key: str, ending: str) -> None:
    mapping = parse(key, "default/nginx")
    assert mapping.state is OK  # the controller writes it
    assert len(mapping.notes) == 1
    assert mapping.notes[0].endswith(ending)


def test_older_controllers_accept_less() -> None:
    def state(value: str, dialect: Dialect) -> MappingState:
        return parse(VIP, value, dialect).state

    assert [state("a/b:DR", d) for d in Dialect] == [ERROR, OK, OK]
    assert [state("a/b:PROXY", d) for d in Dialect] == [ERROR, ERROR, OK]
    assert [state("a/b:NAT", d) for d in Dialect] == [OK, OK, OK]
    assert [state("", d) for d in Dialect] == [ERROR, VIP_ONLY, VIP_ONLY]
    error = parse(VIP, "a/b:DR", Dialect.V09).error
    assert error == 'unknown method "DR": 0.9 accepts NAT, in capitals; contrib and newer support DR'


def test_the_order_is_the_controllers() -> None:
    data = {
        "10.0.0.9": "default/nginx",
        "10.0.0.10": "default/nginx",  # "10.0.0.10" < "10.0.0.9" as text
        "10.0.0.1": "zoo/a:bad",
        "10.0.0.2": "apps/web",
        "10.0.0.3": "",
        "10.0.0.4": "",
    }
    vips = [m.vip for m in parse_all(ConfigMap("kube-system", "vips", data))]
    assert vips == ["10.0.0.3", "10.0.0.4", "10.0.0.2", "10.0.0.10", "10.0.0.9", "10.0.0.1"]


def test_the_separator_in_the_comment_decides_the_order_too() -> None:
    data = {"10.0.0.1": "a/z", "10.0.0.2": "a-b/c"}  # a/z, a-b/c; a-z, a-b-c

    def vips(dialect: Dialect) -> list[str]:
        return [m.vip for m in parse_all(ConfigMap("x", "y", data), dialect)]

    assert vips(Dialect.ALEDBF) == ["10.0.0.2", "10.0.0.1"]
    assert vips(Dialect.CONTRIB) == ["10.0.0.2", "10.0.0.1"]
    data["10.0.0.2"] = "a0/c"  # '-' < '/' < '0'
    data["10.0.0.3"] = "a-/c"
    assert vips(Dialect.CONTRIB) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]  # a-/c is an error: last


PATTERN = re.compile(r"(.*)/(.*):(.*)|(.*)/(.*)")
"""Like Go's engine, Python's is leftmost-first and greedy, and its dot excludes only the line feed."""


def oracle(value: str) -> ServiceTarget | None:
    """Returns what ``parseNsSvcLVS`` returns up to the check of the method."""
    match = PATTERN.search(value)
    if match is None:
        return None
    groups = [g or "" for g in match.groups()]
    return ServiceTarget(groups[0] or groups[3], groups[1] or groups[4], groups[2] or "NAT")


@given(st.text(st.sampled_from("/:\nab \r\x85\u2028\u202eNATDR"), max_size=14))
@example("a:b/c")
@example("\n/:/")
@example("x\n:a/b:c/d")
def test_the_split_is_that_of_the_pattern(value: str) -> None:
    assert split(value) == oracle(value)


@given(st.text(max_size=40), st.text(max_size=80), st.sampled_from(Dialect))
def test_any_text_is_accepted_as_input(vip: str, value: str, dialect: Dialect) -> None:
    mapping = parse(vip, value, dialect)
    assert (mapping.error is not None) is (mapping.state is ERROR)
    assert (mapping.target is not None) is (mapping.state is OK)
    for sentence in (*mapping.notes, mapping.error or ""):
        assert plain(sentence) == sentence


@pytest.mark.parametrize("unit", ["/", ":", "/:", ":/", "\n", "/\n", "a", "NA", "\n/:", "\N{RIGHT-TO-LEFT OVERRIDE}/"])
def test_a_megabyte_takes_linear_time(unit: str) -> None:
    """The bound is a ratio to one pass over as much text; a quadratic parser would take some 10⁵ times as long."""
    value = (unit * 1_048_576)[:1_048_576]
    for text in (value, f"a/b:{value}", f"{value}a/b:DR"):
        assert ratio(partial(parse, VIP, text), lambda: sum(1 for _ in value)) < 5


def test_sentences_are_short_for_any_value() -> None:
    mapping = parse("x" * 1_000_000, "\x1b[31m" * 200_000 + "/" + "b" * 500_000)
    assert mapping.error is not None
    assert len(mapping.error) < 200
    assert all(len(n) < 300 for n in mapping.notes)


def test_the_name_in_the_comment() -> None:
    assert [grammar.comment_name("a", "b", d) for d in Dialect] == ["a/b", "a/b", "a-b"]
