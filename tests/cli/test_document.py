"""The JSON document: its schema by somebody else's validator, and that nothing unknown is invented."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from kvtui.cli.document import VIEWS, document, timestamp
from kvtui.cli.output import Format, encode
from kvtui.cli.schema import schema
from kvtui.rules.observe import observe
from tests.build import addresses, advertiser, snapshot, sources

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot

CASES = {
    "healthy": snapshot(),
    "master": snapshot(advertisers=(advertiser(0, outgoing=True),), addresses=addresses("10.4.0.50")),
    "blind": snapshot(
        keepalived=(), chosen=None, conf=None, running=None, instances=None, checks=None, ipvs=None, addresses=None,
        advertisers=None, sources=sources(None),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_document_is_what_the_schema_says(case: Snapshot) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(
        document(observe(case)), schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def test_the_schema_refuses_what_is_not_in_it() -> None:
    extra = {**document(observe(snapshot())), "more": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(extra, schema())


def test_an_unknown_layer_is_null_not_empty() -> None:
    blind = document(observe(CASES["blind"]))
    assert blind["vips"] is None
    assert blind["vrrp_instances"] is None
    assert blind["virtual_servers"] is None
    assert blind["keepalived"] == []
    assert blind["findings"] is None


def test_each_command_prints_its_part() -> None:
    parts = {view: set(document(observe(snapshot()), view)) for view in VIEWS}
    head = {"schema", "time", "node", "sources"}
    assert parts["vips"] == head | {"vips"}
    assert parts["ipvs"] == head | {"virtual_servers"}
    assert parts["vrrp"] == head | {"vrrp_instances"}
    assert parts["status"] == set(schema()["properties"])


def test_times_are_rfc_3339_in_utc() -> None:
    assert timestamp(1795526424.173422) == "2026-11-24T13:20:24.173Z"
    assert timestamp(None) is None


def test_json_and_yaml_say_the_same() -> None:
    whole = document(observe(snapshot()))
    assert json.loads(encode(whole, Format.JSON)) == whole
    assert yaml.safe_load(encode(whole, Format.YAML)) == whole


def test_a_stream_is_one_json_document_a_line_and_yaml_documents() -> None:
    whole = document(observe(snapshot()))
    line = encode(whole, Format.JSON, stream=True)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    both = encode(whole, Format.YAML, stream=True) * 2
    assert list(yaml.safe_load_all(both)) == [whole, whole]
