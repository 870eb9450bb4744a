"""The JSON document: jsonschema validates it against its schema; an unknown layer is null."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from kvtui.backend.demo.source import Demo
from kvtui.cli.output import Format, OutputStream, encode, write_document
from kvtui.model.ipvs import IpvsTable, Stats
from kvtui.observer import Observer
from kvtui.presenters.documents import VIEWS, members, status, timestamp
from kvtui.presenters.schema import schema
from kvtui.rules.observe import observe
from tests.documents import document
from tests.kit import NOW, VIP, addresses, advertiser, keepalived, real, snapshot, sources, table
from tests.kit import kube as build_kube
from tests.kit.kube import configmap, controller, kube

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot

CLUSTER = kube(
    configmap=configmap({VIP: "default/nginx", "10.4.0.60": "", "key": "a/b:TUN", "10.4.0.61": "x/\x1b[31m\u202e\n/"})
)
CASES = {
    "mapped": build_kube.snapshot(kube=CLUSTER, keepalived=(keepalived(controller=controller("--http-port=8080")),)),
    "healthy": snapshot(),
    "master": snapshot(advertisers=(advertiser(0, outgoing=True),), addresses=addresses("10.4.0.50")),
    "no sources": snapshot(
        keepalived=(), chosen=None, conf=None, running=None, instances=None, checks=None, ipvs=None, addresses=None,
        advertisers=None, sources=sources(None),
    ),
}  # fmt: skip


class Traffic(Demo):
    """A source whose counters differ at each reading, one second apart."""

    def __init__(self, reals: int) -> None:
        super().__init__()
        self._reals, self._tick = range(1, reals + 1), 0

    async def read(self) -> Snapshot:
        self._tick += 1
        stats = Stats(self._tick * 1000, self._tick * 3000, self._tick * 2000, self._tick * 10**6, self._tick * 10**7)
        reals = (real(number, stats=stats) for number in self._reals)
        return snapshot(time=NOW + self._tick, ipvs=table(*reals, at=NOW + self._tick, monotonic=100.0 + self._tick))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_document_matches_the_schema(case: Snapshot) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(
        document(observe(case)), schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def test_the_schema_refuses_unknown_fields() -> None:
    extra = {**document(observe(snapshot())), "more": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(extra, schema())


def test_an_unknown_layer_is_null_not_empty() -> None:
    without_sources = document(observe(CASES["no sources"]))
    assert without_sources["vips"] is None
    assert without_sources["vrrp_instances"] is None
    assert without_sources["virtual_servers"] is None
    assert without_sources["keepalived"] == []
    assert without_sources["findings"] is None
    assert without_sources["mappings"] is None


def test_mappings_show_how_the_controller_reads_each_entry() -> None:
    mapped = document(observe(CASES["mapped"]))["mappings"]
    assert [(m["vip"], m["namespace"], m["service"], m["method"], m["state"], m["source"]) for m in mapped] == [
        ("10.4.0.60", None, None, None, "vip-only", "configmap"),
        (VIP, "default", "nginx", "NAT", "ok", "configmap"),
        ("10.4.0.61", None, None, None, "error", "configmap"),
        ("key", None, None, None, "error", "configmap"),
    ]
    assert mapped[1]["error"] is None
    assert [(link["layer"], link["ok"]) for link in mapped[1]["chain"]][:4] == [
        ("configmap", True), ("service", True), ("endpoints", True), ("conf", True),
    ]  # fmt: skip
    assert mapped[2]["value"] == "x/\x1b[31m\u202e\n/"  # data: JSON escapes it
    assert "\x1b" not in mapped[2]["error"]
    assert mapped[3]["error"].startswith('unknown method "TUN"')


def test_a_real_server_names_its_pod() -> None:
    (virtual,) = document(observe(CASES["mapped"]))["virtual_servers"]
    assert [r["pod"] for r in virtual["real_servers"]] == [
        {"namespace": "default", "name": "nginx-5", "ready": True},
        {"namespace": "default", "name": "nginx-6", "ready": True},
    ]
    (alone,) = document(observe(snapshot()))["virtual_servers"]
    assert [r["pod"] for r in alone["real_servers"]] == [None, None]


def test_without_an_api_mappings_come_from_the_config() -> None:
    (mapping,) = document(observe(snapshot()))["mappings"]
    assert (mapping["service"], mapping["source"]) == ("nginx", "conf")


def test_each_command_prints_its_part() -> None:
    parts = {view: set(document(observe(snapshot()), view)) for view in VIEWS}
    head = {"schema", "time", "node", "sources"}
    assert parts["vips"] == head | {"vips"}
    assert parts["ipvs"] == head | {"virtual_servers"}
    assert parts["vrrp"] == head | {"vrrp_instances"}
    assert parts["status"] == set(schema()["properties"])


def test_times_are_rfc_3339_in_utc() -> None:
    assert timestamp(1795526424.173422) == "2026-11-24T13:20:24.173Z"


def test_json_and_yaml_have_the_same_content() -> None:
    whole = document(observe(snapshot()))
    assert json.loads(encode(whole, Format.JSON)) == whole
    assert yaml.safe_load(encode(whole, Format.YAML)) == whole


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["\x7f", "a\x7f", "\x1b[2J", "\x9b2J", "é\x7f", "\u202e", "\U0001f600"])
def test_json_has_printable_ascii_only(text: str, *, stream: bool) -> None:
    encoded = encode({"name": text}, Format.JSON, stream=stream)
    assert re.fullmatch(r"[ -~\n]*", encoded)
    assert json.loads(encoded) == {"name": text}


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
@pytest.mark.parametrize("case", [*CASES, "empty"])
def test_a_document_written_in_pieces_is_the_same(case: str, form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    seen = observe(CASES.get(case) or snapshot(conf=None, running=None, ipvs=IpvsTable((), True, 0.0, 0.0)))  # noqa: FBT003
    for view in VIEWS:
        write_document(members(seen, view), form)
        assert capsys.readouterr().out == encode(status(seen, view), form)


def test_a_long_document_is_built_only_as_far_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader such as ``kvtui ipvs -o json | head -1`` reads only the first part."""
    numbers = iter(range(100_000))
    long = ("x" * 1000 for _ in numbers)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", OutputStream(gone))
        with pytest.raises(BrokenPipeError):
            write_document([("long", long)], Format.JSON)
    assert next(numbers) < 1000


def test_a_stream_has_one_json_document_per_line_or_yaml_documents() -> None:
    whole = document(observe(snapshot()))
    line = encode(whole, Format.JSON, stream=True)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    both = encode(whole, Format.YAML, stream=True) * 2
    assert list(yaml.safe_load_all(both)) == [whole, whole]


async def _watched(observer: Observer, ticks: int) -> int:
    """Returns the memory blocks of this process after ``ticks`` documents of ``kvtui status --watch -o json``."""
    for _ in range(ticks):
        encode(status(await observer.observe()), Format.JSON, stream=True)
    gc.collect()
    return sys.getallocatedblocks()


async def test_watching_for_long_takes_no_more_memory() -> None:
    """A document of 200 real servers has some 10,000 blocks: kvtui must not keep a second one."""
    observer = Observer(Traffic(200), triage=True)
    await observer.observe(force=True)
    await _watched(observer, 20)
    before = await _watched(observer, 10)
    assert await _watched(observer, 200) < before + 5_000
