"""The kernel's IPVS table: virtual servers, real servers, connections (include/uapi/linux/ip_vs.h)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Protocol(StrEnum):
    """Transport protocol of a virtual server; ``FWMARK`` for a virtual server on a firewall mark."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"
    FWMARK = "FWM"


class ForwardingMethod(StrEnum):
    """How packets reach a real server (IP_VS_CONN_F_FWD_MASK: 0 masq, 1 local, 2 tunnel, 3 direct, 4 bypass)."""

    MASQ = "masq"
    LOCAL = "local"
    TUNNEL = "tunnel"
    DIRECT = "direct"
    BYPASS = "bypass"


LVS_METHODS = {"NAT": ForwardingMethod.MASQ, "DR": ForwardingMethod.DIRECT, "TUN": ForwardingMethod.TUNNEL}
"""``lvs_method`` of keepalived.conf → forwarding method of the kernel."""
LVS_METHOD_NAMES = {method: name for name, method in LVS_METHODS.items()}


class Stats(Struct, frozen=True, gc=False):
    """64-bit counters, and rates per second (struct ip_vs_kstats); ``bps``: bytes per second, as in ``ipvsadm --rate``.

    In the table and in a first observation the rates are the kernel's own averages over some seconds; later
    observations have differences of counters (``rules.servers.rates``).
    """

    connections: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_bytes: int = 0
    out_bytes: int = 0
    cps: float = 0
    in_pps: float = 0
    out_pps: float = 0
    in_bps: float = 0
    out_bps: float = 0


class RealServer(Struct, frozen=True, gc=False):
    """A destination of a virtual server. procfs alone has no ``persistent``, thresholds and ``stats``."""

    address: str
    port: int
    method: ForwardingMethod
    weight: int  # 0 means no new connections
    active: int  # ActiveConn, connections in ESTABLISHED
    inactive: int
    persistent: int | None = None  # number of persistence templates
    upper_threshold: int | None = None  # connections at which it accepts no more; 0 means no limit
    lower_threshold: int | None = None  # connections below which it accepts again
    stats: Stats | None = None
    tunnel_type: int = 0  # IP_VS_CONN_F_TUNNEL_TYPE_*: 0 ipip, 1 gue, 2 gre
    tunnel_port: int = 0
    tunnel_flags: int = 0

    @property
    def key(self) -> tuple[str, int]:
        return (self.address, self.port)


ServiceKey = tuple[Protocol, str, int, int]
"""(protocol, address, port, fwmark): identifies a virtual server. For a fwmark the address is ``""`` (IPv4) or
``"::"`` (IPv6) and the port is 0."""
DestinationKey = tuple[ServiceKey, tuple[str, int]]
"""A virtual server's key, and address and port of one of its real servers."""


class VirtualServer(Struct, frozen=True):
    """A service of the IPVS table."""

    protocol: Protocol
    address: str | None  # canonical text; None for a fwmark service
    port: int | None
    fwmark: int | None
    family: int
    scheduler: str
    flags: tuple[str, ...] = ()  # such as `persistent`, `ops`, `hashed`, `sched-flag-1` …, sorted
    persistence_timeout: int | None = None  # seconds; None if not persistent
    persistence_engine: str | None = None  # such as `sip`
    netmask: int | None = None  # persistence granularity as prefix length; None for the whole address
    real_servers: tuple[RealServer, ...] = ()
    stats: Stats | None = None  # None with procfs only
    reals_read: float | None = None
    """CLOCK_MONOTONIC when its real servers were read; None if read together with the table (large tables are read
    incrementally); ``stats_read``: the same of its own counters."""
    stats_read: float | None = None

    @property
    def key(self) -> ServiceKey:
        if self.fwmark is not None:
            return (Protocol.FWMARK, "" if self.family == 4 else "::", 0, self.fwmark)
        return (self.protocol, self.address or "", self.port or 0, 0)

    @property
    def name(self) -> str:
        """The name that ipvsadm prints: ``10.4.0.50:80``, ``[fd00::50]:80``, ``fwmark 7``."""
        if self.fwmark is not None:
            return service_name(self.key)
        return endpoint(self.address or "", self.port or 0)


class Connection(Struct, frozen=True):
    """One entry of /proc/net/ip_vs_conn."""

    protocol: str  # as the kernel prints it: TCP, UDP, SCTP, or IP for a template
    client: tuple[str, int]
    virtual: tuple[str, int]
    real: tuple[str, int]
    state: str
    expires: int  # seconds
    persistence: str = ""  # data of the persistence engine


class IpvsTable(Struct, frozen=True):
    """One reading of the table of one network namespace."""

    virtual_servers: tuple[VirtualServer, ...]
    complete: bool  # False if only procfs was readable: no counters, thresholds or persistence
    read_at: float  # seconds since the epoch
    monotonic: float  # CLOCK_MONOTONIC at the reading, for rates

    def reals_at(self, virtual: VirtualServer) -> float:
        return self.monotonic if virtual.reals_read is None else virtual.reals_read

    def stats_at(self, virtual: VirtualServer) -> float:
        return self.monotonic if virtual.stats_read is None else virtual.stats_read

    @property
    def oldest(self) -> float:
        """Time of the oldest part (seconds since the epoch)."""
        times = [t for v in self.virtual_servers for t in (v.reals_read, v.stats_read) if t is not None]
        return self.read_at - max(0.0, self.monotonic - min(times, default=self.monotonic))


def endpoint(address: str, port: int) -> str:
    """Returns ``address:port``, with brackets around an IPv6 address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def service_name(key: ServiceKey) -> str:
    """Returns what ipvsadm prints, with the protocol unless that is TCP."""
    protocol, address, port, fwmark = key
    if protocol is Protocol.FWMARK:
        return f"fwmark {fwmark}" + (" IPv6" if address else "")
    name = endpoint(address, port)
    return name if protocol is Protocol.TCP else f"{protocol.value} {name}"
