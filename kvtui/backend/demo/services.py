"""The VIPs of the demo cluster and the Services behind them."""

from __future__ import annotations

from msgspec import Struct

from kvtui.model.ipvs import ForwardingMethod, Protocol, ServiceKey

VRID = 50
CONF = "/etc/keepalived/keepalived.conf"
TRACK_FILE = "/etc/keepalived/vip_ok"
POD = "default/kube-keepalived-vip-x7k2p"


class Service(Struct, frozen=True):
    name: str
    vip: str
    port: int
    method: ForwardingMethod
    reals: tuple[tuple[str, int], ...]
    rate: float
    size: int
    protocol: Protocol = Protocol.TCP
    persistence: int | None = None

    @property
    def key(self) -> ServiceKey:
        return (self.protocol, self.vip, self.port, 0)


MASQ, DIRECT = ForwardingMethod.MASQ, ForwardingMethod.DIRECT
SERVICES = (
    Service("default/nginx", "10.4.0.50", 80, MASQ, tuple((f"10.2.{n}.5", 8080) for n in (68, 69, 70)), 6.0, 700),
    Service("shop/pay", "10.4.0.51", 443, DIRECT, (("10.4.0.61", 443), ("10.4.0.62", 443)), 2.5, 900, persistence=1800),
    Service("kube-system/dns", "10.4.0.52", 53, MASQ, (("10.2.68.9", 53), ("10.2.69.9", 53)), 22.0, 64, Protocol.UDP),
    Service("default/nginx", "fd00:10:4::50", 80, MASQ, (("fd00:10:2::5", 8080), ("fd00:10:2::6", 8080)), 0.8, 900),
)  # fmt: skip
VIP_ONLY = "10.4.0.60"
FAILING = ("10.2.70.5", 8080)
DRAINING = ("10.4.0.62", 443)
MASTER6 = ("fe80::a4:3", 150)
"""node-a, the master of the IPv6 VIP."""
VIPS = (*(s.vip for s in SERVICES if ":" not in s.vip), VIP_ONLY)
VIPS6 = tuple(s.vip for s in SERVICES if ":" in s.vip)
