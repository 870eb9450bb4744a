"""The public JSON (schema 1): objects, JSON and schema from one definition. Docstrings are the schema's descriptions.

Field names are an API (``docs/architecture.md``). A missing value is null, never invented; times are RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import force_setattr

from kvtui.model.finding import Severity  # noqa: TC001 - msgspec reads the annotations
from kvtui.model.ipvs import ForwardingMethod, Protocol  # noqa: TC001
from kvtui.model.mapping import Dialect, MappingState  # noqa: TC001
from kvtui.model.observation import ManagedBy, RealServerState  # noqa: TC001
from kvtui.model.source import SourceName, SourceState  # noqa: TC001
from kvtui.model.vrrp import HmacMode, VrrpState  # noqa: TC001
from kvtui.rules.chain import Layer, Mark  # noqa: TC001
from kvtui.rules.mapping.drift import DifferenceKind  # noqa: TC001

SchemaVersion = Annotated[Literal[1], Meta(extra_json_schema={"const": 1})]
Count = Annotated[int, Meta(ge=0)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Contract(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all: the schema allows no other members."""


class Node(Contract, frozen=True):
    """The machine."""

    name: str
    read_only: bool


class Source(Contract, frozen=True):
    """Where data comes from, whether to believe it, and how old it is."""

    name: SourceName
    state: SourceState
    detail: str
    age_seconds: float | None


class Head(Contract, frozen=True):
    """What every document begins with."""

    schema: SchemaVersion
    time: Time
    node: Node
    sources: list[Source]


class Children(Contract, frozen=True):
    """PIDs of the child processes."""

    vrrp: Count | None
    checker: Count | None


class Keepalived(Contract, frozen=True):
    """A keepalived on this machine; PIDs as seen from kvtui."""

    pid: Count
    version: str | None
    conf: str
    netns: Count | None
    children: Children
    started: Time | None


class Master(Contract, frozen=True):
    """The master of an instance."""

    address: str | None
    priority: Count | None
    self_: bool = field(name="self")


class AuthHmac(Contract, frozen=True):
    """auth_hmac of an instance (keepalived 2.4), without its keys; key_ids is null when only their number is known."""

    mode: HmacMode
    active_key: Count
    key_ids: list[Count] | None
    time_window: Count | None


class Peer(Contract, frozen=True):
    """Another node; priority and age are null when no advert of it was ever seen.

    auth_hmac_key is the id of the key that signed its latest advert, null when it is not signed.
    """

    address: str
    priority: Count | None
    seen: bool
    age_seconds: float | None
    auth_hmac_key: Count | None


class Instance(Contract, frozen=True):
    """A VRRP instance; state rests on the newest of dump, adverts and addresses.

    address is where this node's adverts come from; unicast_peers is empty with multicast.
    """

    name: str
    state: VrrpState
    interface: str | None
    vrid: Count | None
    version: Count | None
    priority: Count | None
    effective_priority: int | None
    nopreempt: bool | None
    advert_interval: float | None
    vips: list[str]
    since: Time | None
    master: Master | None
    peers: list[Peer]
    counters: dict[str, Count] | None
    auth_hmac: AuthHmac | None
    address: str | None
    preempt_delay: float | None
    unicast_peers: list[str]


class Vip(Contract, frozen=True):
    """A virtual address; owner is the address of the node that advertises it."""

    address: str
    prefixlen: Count
    interface: str | None
    instance: str
    present: bool | None
    owner: str | None


class Stats(Contract, frozen=True):
    """Counters since the server was added, and rates per second (bps: bytes per second).

    With --watch the rates are differences of counters over the real time between two readings; in a single reading,
    the kernel's estimate.
    """

    connections: Count
    in_packets: Count
    out_packets: Count
    in_bytes: Count
    out_bytes: Count
    cps: float
    in_pps: float
    out_pps: float
    in_bps: float
    out_bps: float

    def __post_init__(self) -> None:
        rates = (self.cps, self.in_pps, self.out_pps, self.in_bps, self.out_bps)
        if not all(map(float.is_integer, rates)):  # the kernel's own are whole numbers
            for name, rate in zip(("cps", "in_pps", "out_pps", "in_bps", "out_bps"), rates, strict=True):
                force_setattr(self, name, round(rate, 1))


class Pod(Contract, frozen=True):
    """The pod behind a real server."""

    namespace: str
    name: str
    ready: bool


class RealServer(Contract, frozen=True):
    """A real server; weight, active and inactive are null when only the config has it (state: removed)."""

    address: str
    port: Count
    method: ForwardingMethod | None
    weight: Count | None
    active: Count | None
    inactive: Count | None
    persistent: Count | None
    upper_threshold: Count | None
    lower_threshold: Count | None
    stats: Stats | None
    state: RealServerState
    configured_weight: int | None
    pod: Pod | None


class VirtualServer(Contract, frozen=True):
    """A virtual server of IPVS; address and port are null for a firewall mark."""

    address: str | None
    port: Count | None
    protocol: Protocol
    fwmark: Count | None
    scheduler: str | None
    persistence_timeout: Count | None
    flags: list[str]
    managed_by: ManagedBy
    in_kernel: bool
    stats: Stats | None
    real_servers: list[RealServer]


class Link(Contract, frozen=True):
    """One layer between the mapping and a client's answer.

    ok is null when it is not known, or nothing is expected; mark says which. The age is that of the layer's source;
    remedy says what to do when it is broken.
    """

    layer: Layer
    ok: bool | None
    mark: Mark
    detail: str
    age_seconds: float | None
    remedy: str


class MappingEntry(Contract, frozen=True):
    """An entry of the ConfigMap (source: configmap), or what keepalived.conf implies where there is no API (conf).

    namespace, service and method are null when it names none; notes say where the controller silently does something
    odd.
    """

    vip: str
    value: str
    namespace: str | None
    service: str | None
    method: str | None
    state: MappingState
    error: str | None
    notes: list[str]
    source: Literal["configmap", "conf"]


class Mapping(MappingEntry, frozen=True):
    """An entry of the ConfigMap with its chain, layer by layer."""

    chain: list[Link]


class Finding(Contract, frozen=True):
    """Something that is wrong here: id is the rule's stable name, remedy the command to type or what to do."""

    id: str
    severity: Severity
    title: str
    evidence: list[str]
    remedy: str
    object: str


class Nic(Contract, frozen=True):
    """A network interface and its counters since it came up; speed in Mbit/s, null when the driver does not say."""

    name: str
    up: bool
    speed: Count | None
    mtu: Count
    errors_in: Count
    errors_out: Count
    drops_in: Count
    drops_out: Count


class Host(Contract, frozen=True):
    """The machine's vitals, at most some seconds old; sizes in bytes.

    cpu and steal are % of all cores since the reading before, and null in the first one, so always in a status that is
    read once. The disk is that of state_folder, where the journal is kept.
    """

    cpu: float | None
    steal: float | None
    load: list[float]
    cores: Count
    memory_total: Count
    memory_available: Count
    state_folder: str | None
    disk_total: Count | None
    disk_free: Count | None
    nics: list[Nic]


class Comparison(Contract, frozen=True):
    """What kvtui cluster compares between nodes.

    config has the lines of the config that keepalived runs, without what must differ between nodes (priority, own
    addresses) and without secrets; null where there are more than 2,000. config_hash is their hash, ipvs_digest that of
    servers, methods and weights.
    drained: real servers with weight 0 that are configured with another.
    """

    kvtui: str
    config_hash: str | None
    config: list[str] | None
    ipvs_digest: str | None
    drained: list[str] | None
    cps: float | None
    sysctls: dict[str, int] | None


class Status(Head, frozen=True):
    """What kvtui knows of a node at one moment.

    A list that is null is not known (its source says why); an empty list says that there is nothing. The other views
    print some of the members.
    """

    keepalived: list[Keepalived]
    vrrp_instances: list[Instance] | None
    vips: list[Vip] | None
    virtual_servers: list[VirtualServer] | None
    mappings: list[Mapping] | None
    findings: Annotated[
        list[Finding] | None,
        Meta(
            description="Of triage, worst first. Null where it was not asked for: what may be transient must persist "
            "for some seconds, so a status read once has those of the journal only (a priority that kvtui wrote and a "
            "controller overwrote), or null. See kvtui triage, or kvtui status --watch."
        ),
    ]
    host: Host | None
    comparison: Comparison


class PortChain(Contract, frozen=True):
    """The chain of one port; port is null for a VIP that is only an address, whole where some layer is not known."""

    port: Count | None
    protocol: Protocol | None
    whole: bool | None
    first_break: Layer | None
    chain: list[Link]


class Trace(Head, frozen=True):
    """One VIP, layer by layer, for each of its ports (kvtui trace)."""

    vip: str
    mapping: MappingEntry | None
    chains: list[PortChain]


class Skipped(Contract, frozen=True):
    """What the controller leaves out."""

    vip: str
    port: Count | None
    why: str


class RealServerKey(Contract, frozen=True):
    """Which real server."""

    address: str
    port: Count


class Difference(Contract, frozen=True):
    """One difference of a config from what the controller should have written; null where it says nothing."""

    kind: DifferenceKind
    text: str
    vip: str | None
    port: Count | None
    protocol: Protocol | None
    real_server: RealServerKey | None
    value: str | None
    wanted: str | None
    found: str | None
    service: str | None
    pod: str | None


Compared = Annotated[
    list[Difference] | UnsetType | None,
    Meta(description="With --diff alone. Null where that config, or what is expected, is not known."),
]


class Render(Head, frozen=True):
    """What the controller should have written (kvtui render); text is null when something that it needs is missing."""

    dialect: Dialect
    dialect_reason: str
    text: str | None
    vips: list[str] | None
    skipped: list[Skipped]
    missing: list[str]
    assumed: list[str]
    file: Compared = UNSET
    running: Compared = UNSET
