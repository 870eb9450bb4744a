"""Numbers of include/uapi/linux/ip_vs.h, under the header's own names without their ``IPVS_`` prefix."""

from __future__ import annotations

import socket

from kvtui.model.ipvs import ForwardingMethod, Protocol

GENL_NAME = "IPVS"
GENL_VERSION = 1

CMD_GET_SERVICE = 4
CMD_SET_DEST = 6
CMD_GET_DEST = 8

CMD_ATTR_SERVICE = 1
CMD_ATTR_DEST = 2

SVC_ATTR_AF = 1
SVC_ATTR_PROTOCOL = 2
SVC_ATTR_ADDR = 3
SVC_ATTR_PORT = 4
SVC_ATTR_FWMARK = 5
SVC_ATTR_SCHED_NAME = 6
SVC_ATTR_FLAGS = 7
SVC_ATTR_TIMEOUT = 8
SVC_ATTR_NETMASK = 9
SVC_ATTR_STATS = 10
SVC_ATTR_PE_NAME = 11
SVC_ATTR_STATS64 = 12

DEST_ATTR_ADDR = 1
DEST_ATTR_PORT = 2
DEST_ATTR_FWD_METHOD = 3
DEST_ATTR_WEIGHT = 4
DEST_ATTR_U_THRESH = 5
DEST_ATTR_L_THRESH = 6
DEST_ATTR_ACTIVE_CONNS = 7
DEST_ATTR_INACT_CONNS = 8
DEST_ATTR_PERSIST_CONNS = 9
DEST_ATTR_STATS = 10
DEST_ATTR_ADDR_FAMILY = 11
DEST_ATTR_STATS64 = 12
DEST_ATTR_TUN_TYPE = 13
DEST_ATTR_TUN_PORT = 14
DEST_ATTR_TUN_FLAGS = 15

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

PROTOCOLS = {
    socket.IPPROTO_TCP: Protocol.TCP,
    socket.IPPROTO_UDP: Protocol.UDP,
    socket.IPPROTO_SCTP: Protocol.SCTP,
}
PROTOCOL_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
