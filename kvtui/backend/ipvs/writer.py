"""Sets the weight of a real server in the kernel's table."""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.attributes import Buffer, pack
from kvtui.backend.ipvs.errors import IpvsError, NotInTableError
from kvtui.backend.ipvs.genl import open_channel, require_ipvs
from kvtui.model.ipvs import Protocol, endpoint

if TYPE_CHECKING:
    from kvtui.backend.ipvs.genl import GenericNetlink
    from kvtui.model.ipvs import RealServer, ServiceKey

MAX_WEIGHT = 65535  # as in ipvsadm and keepalived
WEIGHT = Struct("=i")


def set_weight(
    pid: int | None, service: ServiceKey, real: tuple[str, int], weight: int, *, proc: Path = Path("/proc")
) -> tuple[RealServer, RealServer]:
    """Sets a real server's weight; returns the real server before and after, as read from the kernel.

    IPVS_CMD_SET_DEST replaces the whole real server: without its forwarding method, thresholds and tunnel the kernel
    resets them or refuses. So kvtui reads them immediately before and sends them back byte for byte.

    Raises:
        ValueError: the weight is out of range.
        NotInTableError: the kernel has no such virtual server or real server.
        IpvsError: ip_vs is not loaded, the process ended, no permission, or the kernel refuses.
    """
    if not 0 <= weight <= MAX_WEIGHT:
        raise ValueError(f"a weight is 0 to {MAX_WEIGHT}, not {weight}")
    require_ipvs(proc, pid)
    name = f"{endpoint(*real)} of {_service_name(service)}"
    try:
        with open_channel(pid) as channel:
            before, kept = _find(channel, service, real, name)
            kept[uapi.DestAttr.WEIGHT] = WEIGHT.pack(weight)
            attributes = b"".join(pack(kind, value) for kind, value in kept.items())
            channel.ask(uapi.CMD_SET_DEST, decode.selector(service) + pack(uapi.CMD_ATTR_DEST, attributes))
            after, _ = _find(channel, service, real, name)
            return before, after
    except PermissionError as error:
        raise IpvsError(f"The weight of {name} cannot be set: {error.strerror}.") from error
    except IpvsError:
        raise
    except OSError as error:
        raise IpvsError(f"The kernel refused weight {weight} for {name}: {error}.") from error


def _find(
    channel: GenericNetlink, service: ServiceKey, real: tuple[str, int], name: str
) -> tuple[RealServer, dict[int, bytes]]:
    def with_attributes(buffer: Buffer, start: int, end: int) -> tuple[RealServer, dict[int, bytes]]:
        return decode.dest(buffer, start, end, 6 if ":" in service[1] else 4), decode.settable(buffer, start, end)

    for found, kept in channel.dump(uapi.CMD_GET_DEST, with_attributes, decode.selector(service)):
        if found.key == real:
            return found, kept
    raise NotInTableError(f"The kernel's IPVS table has no {name}; it was removed, or a health check removed it.")


def _service_name(service: ServiceKey) -> str:
    protocol, address, port, fwmark = service
    return f"fwmark {fwmark}" if protocol is Protocol.FWMARK else f"{protocol.value} {endpoint(address, port)}"
