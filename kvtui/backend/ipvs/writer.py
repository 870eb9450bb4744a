"""Changes the weight of a real server in the kernel's table, and nothing else of it."""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.attributes import Buffer, pack
from kvtui.backend.ipvs.errors import IpvsUnavailable, NotInTable, Reason
from kvtui.backend.ipvs.namespace import open_channel, require_ipvs
from kvtui.model.ipvs import Protocol, endpoint

if TYPE_CHECKING:
    from kvtui.backend.ipvs.genl import GenericNetlink
    from kvtui.model.ipvs import RealServer, ServiceKey

MAX_WEIGHT = 65535  # as ipvsadm and keepalived have it
WEIGHT = Struct("=i")


def set_weight(
    pid: int | None, service: ServiceKey, real: tuple[str, int], weight: int, *, proc: Path = Path("/proc")
) -> tuple[RealServer, RealServer]:
    """Set one real server's weight by IPVS_CMD_SET_DEST.

    That command replaces the whole real server: a forwarding method, threshold or tunnel that is not sent is reset or
    refused. So what the kernel says about it is read immediately before and sent back byte for byte, the weight
    excepted.

    Args:
        pid: whose network namespace; None is kvtui's own.
        service: the virtual server's key.
        real: address and port of the real server.
        weight: 0 to 65535; 0 takes no new connections.
        proc: where procfs is mounted.

    Returns:
        The real server before and after, both as the kernel gave them.

    Raises:
        ValueError: the weight is out of range.
        NotInTable: the kernel has no such real server of such a virtual server.
        IpvsUnavailable: ip_vs is not loaded, the process has ended, there is no permission, or the kernel refuses.
    """
    if not 0 <= weight <= MAX_WEIGHT:
        raise ValueError(f"a weight is 0 to {MAX_WEIGHT}, not {weight}")
    require_ipvs(proc, pid)
    name = f"{endpoint(*real)} of {_service_name(service)}"
    try:
        with open_channel(pid) as channel:
            before, kept = _find(channel, service, real, name)
            kept[uapi.DEST_ATTR_WEIGHT] = WEIGHT.pack(weight)
            attributes = b"".join(pack(kind, value) for kind, value in kept.items())
            channel.ask(uapi.CMD_SET_DEST, decode.selector(service) + pack(uapi.CMD_ATTR_DEST, attributes))
            after, _ = _find(channel, service, real, name)
            return before, after
    except PermissionError as error:
        raise IpvsUnavailable(
            Reason.NOT_PERMITTED,
            f"The weight of {name} may not be set: {error.strerror}.",
        ) from error
    except IpvsUnavailable:
        raise
    except OSError as error:
        raise IpvsUnavailable(Reason.FAILED, f"The kernel refused weight {weight} for {name}: {error}.") from error


def _find(
    channel: GenericNetlink, service: ServiceKey, real: tuple[str, int], name: str
) -> tuple[RealServer, dict[int, bytes]]:
    """The real server, and its attributes as IPVS_CMD_SET_DEST takes them."""
    family = 6 if ":" in service[1] else 4

    def with_attributes(buffer: Buffer, start: int, end: int) -> tuple[RealServer, dict[int, bytes]]:
        return decode.dest(buffer, start, end, family), decode.settable(buffer, start, end)

    for found, kept in channel.dump(uapi.CMD_GET_DEST, with_attributes, decode.selector(service)):
        if found.key == real:
            return found, kept
    raise NotInTable(f"The kernel's IPVS table does not have {name}; it was removed, or a check took it out.")


def _service_name(service: ServiceKey) -> str:
    protocol, address, port, fwmark = service
    return f"fwmark {fwmark}" if protocol is Protocol.FWMARK else f"{protocol.value} {endpoint(address, port)}"
