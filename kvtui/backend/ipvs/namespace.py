"""The procfs folder and the netlink socket of a process's network namespace; PID None is kvtui's own."""

from __future__ import annotations

from pathlib import Path

from kvtui.backend.ipvs import uapi
from kvtui.backend.ipvs.errors import IpvsError
from kvtui.backend.ipvs.genl import GenericNetlink
from kvtui.backend.linux.namespaces import open_in_network


def net_folder(proc: Path, pid: int | None) -> Path:
    return proc / ("self" if pid is None else str(pid)) / "net"


def require_ipvs(proc: Path, pid: int | None) -> None:
    """Checks that ip_vs is loaded, without netlink, which could load it; raises IpvsError."""
    net = net_folder(proc, pid)
    try:
        (net / "ip_vs").stat()
    except (FileNotFoundError, ProcessLookupError):
        loaded = (proc / "self/net/ip_vs").exists()  # then it is a zombie, which has no network namespace
        if pid is not None and (loaded or not net.parent.exists()):
            raise IpvsError(f"Process {pid}, whose IPVS table kvtui reads, has ended.") from None
        why = f"ip_vs is not loaded in this kernel: {net}/ip_vs does not exist. Run `modprobe ip_vs` on the node."
        raise IpvsError(why) from None
    except PermissionError as error:
        raise IpvsError(f"{net}/ip_vs cannot be read: {error}. Run kvtui as root.") from error


def open_channel(pid: int | None) -> GenericNetlink:
    """Opens a socket of the IPVS family; call ``require_ipvs`` first.

    Raises:
        IpvsError: the process ended, or the module was unloaded.
        PermissionError: no permission to enter the namespace.
    """
    try:
        return open_in_network(pid, lambda: GenericNetlink(uapi.GENL_NAME))
    except FileNotFoundError as error:
        if pid is not None and not Path(f"/proc/{pid}").exists():
            raise IpvsError(f"Process {pid} has ended.") from error
        raise IpvsError(f"ip_vs does not answer by netlink: {error}.") from error
    except ProcessLookupError as error:
        raise IpvsError(f"Process {pid} has ended.") from error
