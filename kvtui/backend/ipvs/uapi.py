"""Numbers of include/uapi/linux/ip_vs.h, under the header's own names without their ``IPVS_`` prefix."""

from __future__ import annotations

import socket
from enum import IntEnum

from kvtui.model.ipvs import ForwardingMethod, Protocol

GENL_NAME = "IPVS"

CMD_GET_SERVICE, CMD_SET_DEST, CMD_GET_DEST = 4, 6, 8
CMD_ATTR_SERVICE, CMD_ATTR_DEST = 1, 2

ServiceAttr = IntEnum(
    "ServiceAttr", "AF PROTOCOL ADDR PORT FWMARK SCHED_NAME FLAGS TIMEOUT NETMASK STATS PE_NAME STATS64"
)
"""IPVS_SVC_ATTR_…"""
DestAttr = IntEnum(
    "DestAttr",
    "ADDR PORT FWD_METHOD WEIGHT U_THRESH L_THRESH ACTIVE_CONNS INACT_CONNS PERSIST_CONNS STATS ADDR_FAMILY STATS64 "
    "TUN_TYPE TUN_PORT TUN_FLAGS",
)
"""IPVS_DEST_ATTR_…"""

# STATS attributes 1 to 10 are ten counters in the order of model.ipvs.Stats: conns, in/out packets, in/out bytes, rates

SVC_F_PERSISTENT = 0x0001
SERVICE_FLAGS = {
    SVC_F_PERSISTENT: "persistent",
    0x0002: "hashed",
    0x0004: "ops",
    0x0008: "sched-flag-1",
    0x0010: "sched-flag-2",
    0x0020: "sched-flag-3",
}

CONN_F_FWD_MASK = 0x0007
FORWARDING_METHODS = (
    ForwardingMethod.MASQ,
    ForwardingMethod.LOCAL,
    ForwardingMethod.TUNNEL,
    ForwardingMethod.DIRECT,
    ForwardingMethod.BYPASS,
)

PROTOCOLS = {socket.IPPROTO_TCP: Protocol.TCP, socket.IPPROTO_UDP: Protocol.UDP, socket.IPPROTO_SCTP: Protocol.SCTP}
PROTOCOL_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
