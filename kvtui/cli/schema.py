"""The JSON Schema (draft 2020-12) of ``cli.document``, ``render`` and ``trace``, as ``kvtui schema`` prints it."""

from __future__ import annotations

from typing import Any

from kvtui.cli.document import SCHEMA_VERSION
from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.mapping import Dialect, MappingState
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.model.source import SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain import Layer, Mark
from kvtui.rules.drift import DifferenceKind

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
INT: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
BOOL: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}


def maybe(schema: Schema) -> Schema:
    """The same, or null: not known."""
    return {"anyOf": [schema, {"type": "null"}]}


def array(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


def one_of(values: Any, *more: str) -> Schema:
    """One of an enum's values."""
    return {"type": "string", "enum": [*(v.value for v in values), *more]}


def record(description: str, **properties: Schema) -> Schema:
    """An object with exactly these members; a trailing underscore keeps a name from being a Python keyword."""
    named = {k.rstrip("_"): v for k, v in properties.items()}
    return {
        "type": "object",
        "description": description,
        "properties": named,
        "required": list(named),
        "additionalProperties": False,
    }


STATS = record(
    "Counters since the server was added, and rates per second (bps: bytes per second). With --watch the rates are "
    "differences of counters over the real time between two readings; in a single reading, the kernel's estimate.",
    connections=COUNT,
    in_packets=COUNT,
    out_packets=COUNT,
    in_bytes=COUNT,
    out_bytes=COUNT,
    cps=NUMBER,
    in_pps=NUMBER,
    out_pps=NUMBER,
    in_bps=NUMBER,
    out_bps=NUMBER,
)

REAL_SERVER = record(
    "A real server; weight, active and inactive are null when only the config has it (state: removed).",
    address=TEXT,
    port=COUNT,
    method=maybe(one_of(ForwardingMethod)),
    weight=maybe(COUNT),
    active=maybe(COUNT),
    inactive=maybe(COUNT),
    persistent=maybe(COUNT),
    upper_threshold=maybe(COUNT),
    lower_threshold=maybe(COUNT),
    stats=maybe(STATS),
    state=one_of(RealServerState),
    configured_weight=maybe(INT),
    pod=maybe(record("The pod behind it.", namespace=TEXT, name=TEXT, ready=BOOL)),
)

VIRTUAL_SERVER = record(
    "A virtual server of IPVS; address and port are null for a firewall mark.",
    address=maybe(TEXT),
    port=maybe(COUNT),
    protocol=one_of(Protocol),
    fwmark=maybe(COUNT),
    scheduler=maybe(TEXT),
    persistence_timeout=maybe(COUNT),
    flags=array(TEXT),
    managed_by=one_of(ManagedBy),
    in_kernel=BOOL,
    stats=maybe(STATS),
    real_servers=array(REAL_SERVER),
)

PEER = record(
    "Another node; priority and age are null when no advert of it was ever seen.",
    address=TEXT,
    priority=maybe(COUNT),
    seen=BOOL,
    age_seconds=maybe(NUMBER),
)

INSTANCE = record(
    "A VRRP instance; state rests on the newest of dump, adverts and addresses.",
    name=TEXT,
    state=one_of(VrrpState),
    interface=maybe(TEXT),
    vrid=maybe(COUNT),
    version=maybe(COUNT),
    priority=maybe(COUNT),
    effective_priority=maybe(INT),
    nopreempt=maybe(BOOL),
    advert_interval=maybe(NUMBER),
    vips=array(TEXT),
    since=maybe(TIME),
    master=maybe(record("Who is master.", address=maybe(TEXT), priority=maybe(COUNT), self_=BOOL)),
    peers=array(PEER),
    counters=maybe({"type": "object", "additionalProperties": COUNT}),
)

VIP = record(
    "A virtual address; owner is the address of the node that advertises it.",
    address=TEXT,
    prefixlen=COUNT,
    interface=maybe(TEXT),
    instance=TEXT,
    present=maybe(BOOL),
    owner=maybe(TEXT),
)

LINK = record(
    "One layer between the mapping and a client's answer; ok is null when it is not known, or nothing is expected, and "
    "mark tells which. The age is that of the layer's source; remedy says what to do when it is broken.",
    layer=one_of(Layer),
    ok=maybe(BOOL),
    mark=one_of(Mark),
    detail=TEXT,
    age_seconds=maybe(NUMBER),
    remedy=TEXT,
)

MAPPING = record(
    "An entry of the ConfigMap (source: configmap), or what keepalived.conf tells where there is no API (source: "
    "conf). namespace, service and method are null when it names none; notes say where the controller silently does "
    "something odd.",
    vip=TEXT,
    value=TEXT,
    namespace=maybe(TEXT),
    service=maybe(TEXT),
    method=maybe(TEXT),
    state=one_of(MappingState),
    error=maybe(TEXT),
    notes=array(TEXT),
    source={"type": "string", "enum": ["configmap", "conf"]},
    chain=array(LINK),
)

KEEPALIVED = record(
    "A keepalived on this machine; PIDs as seen from kvtui.",
    pid=COUNT,
    version=maybe(TEXT),
    conf=TEXT,
    netns=maybe(COUNT),
    children=record("Its child processes.", vrrp=maybe(COUNT), checker=maybe(COUNT)),
    started=maybe(TIME),
)

SOURCE = record(
    "Where data comes from, whether to believe it, and how old it is.",
    name=one_of(SourceName),
    state=one_of(SourceState),
    detail=TEXT,
    age_seconds=maybe(NUMBER),
)


FINDING = record(
    "Something that is wrong here: id is the rule's stable name, remedy the command to type or what to do.",
    id=TEXT,
    severity=one_of(Severity),
    title=TEXT,
    evidence=array(TEXT),
    remedy=TEXT,
    object=TEXT,
)

HEAD: Schema = {
    "schema": {"const": SCHEMA_VERSION},
    "time": TIME,
    "node": record("The machine.", name=TEXT, read_only=BOOL),
    "sources": array(SOURCE),
}
"""What every document begins with."""

PORT = maybe(COUNT)
PROTOCOL = maybe(one_of(Protocol))

DIFFERENCE = record(
    "One difference of a config from what the controller should have written; a member is null where it says nothing.",
    kind=one_of(DifferenceKind),
    text=TEXT,
    vip=maybe(TEXT),
    port=PORT,
    protocol=PROTOCOL,
    real_server=maybe(record("Which.", address=TEXT, port=COUNT)),
    value=maybe(TEXT),
    wanted=maybe(TEXT),
    found=maybe(TEXT),
    service=maybe(TEXT),
    pod=maybe(TEXT),
)


def render_schema() -> Schema:
    """The JSON Schema of ``kvtui render -o json``; ``file`` and ``running`` are there with ``--diff`` alone."""
    description = "What the controller should have written; text is null when something that it needs is missing."
    whole = record(
        description,
        **HEAD,
        dialect=one_of(Dialect),
        dialect_reason=TEXT,
        text=maybe(TEXT),
        vips=maybe(array(TEXT)),
        skipped=array(record("What the controller leaves out.", vip=TEXT, port=PORT, why=TEXT)),
        missing=array(TEXT),
        assumed=array(TEXT),
    )
    compared = {**maybe(array(DIFFERENCE)), "description": "Null where that config, or what is expected, is not known."}
    whole["properties"] |= {"file": compared, "running": compared}
    whole["dependentRequired"] = {"file": ["running"], "running": ["file"]}
    return whole


def trace_schema() -> Schema:
    """The JSON Schema of ``kvtui trace -o json``."""
    return record(
        "One VIP, layer by layer, for each of its ports.",
        **HEAD,
        vip=TEXT,
        mapping=maybe(record("Its entry.", **{k: v for k, v in MAPPING["properties"].items() if k != "chain"})),
        chains=array(
            record(
                "Of one port; null is a VIP that is only an address. whole is null when some layer is not known.",
                port=PORT,
                protocol=PROTOCOL,
                whole=maybe(BOOL),
                first_break=maybe(one_of(Layer)),
                chain=array(LINK),
            )
        ),
    )


def schema() -> Schema:
    """The JSON Schema of ``kvtui status -o json``; under ``$defs`` those of the commands that print something else.

    A list that is null is not known (its source says why); an empty list says that there is nothing.
    """
    whole = record(
        "What kvtui knows of a node at one moment.",
        **HEAD,
        keepalived=array(KEEPALIVED),
        vrrp_instances=maybe(array(INSTANCE)),
        vips=maybe(array(VIP)),
        virtual_servers=maybe(array(VIRTUAL_SERVER)),
        mappings=maybe(array(MAPPING)),
        findings={
            **maybe(array(FINDING)),
            "description": "Of triage, worst first. Null where it was not asked for: what may be passing must hold for "
            "some seconds, so a status read once has those of the journal only (a priority that kvtui wrote and a "
            "controller overwrote), or null. See kvtui triage, or kvtui status --watch.",
        },
    )
    others = {"render": render_schema(), "trace": trace_schema()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kvtui status",
        **whole,
        "$defs": {name: {"title": f"kvtui {name}", **other} for name, other in others.items()},
    }
