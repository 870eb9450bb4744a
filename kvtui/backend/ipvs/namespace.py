"""Where a process's IPVS table is found: its procfs folder, and a netlink socket in its network namespace."""

from __future__ import annotations

from pathlib import Path

from kvtui.backend.ipvs import uapi
from kvtui.backend.ipvs.errors import IpvsUnavailable, Reason
from kvtui.backend.ipvs.genl import GenericNetlink
from kvtui.backend.linux.namespaces import open_in_network


def net_folder(proc: Path, pid: int | None) -> Path:
    """The folder that shows the network namespace of a process (None: kvtui's own)."""
    return proc / ("self" if pid is None else str(pid)) / "net"


def require_ipvs(proc: Path, pid: int | None) -> None:
    """Make sure that ip_vs is there, without asking netlink for it, which could load it.

    Args:
        proc: where procfs is mounted.
        pid: whose network namespace; None is kvtui's own.

    Raises:
        IpvsUnavailable: it is not, or the process is gone; the text says which.
    """
    net = net_folder(proc, pid)
    try:
        (net / "ip_vs").stat()
    except (FileNotFoundError, ProcessLookupError):
        loaded = (proc / "self/net/ip_vs").exists()  # then it is a zombie, which has no network namespace any more
        if pid is not None and (loaded or not net.parent.exists()):
            raise IpvsUnavailable(
                Reason.NO_PROCESS,
                f"Process {pid}, whose IPVS table was to be read, has ended; look for its successor.",
            ) from None
        raise IpvsUnavailable(
            Reason.NOT_LOADED,
            f"ip_vs is not loaded in this kernel: {net}/ip_vs does not exist. Run `modprobe ip_vs` on the node.",
        ) from None
    except PermissionError as error:
        raise IpvsUnavailable(
            Reason.NOT_PERMITTED, f"{net}/ip_vs may not be read: {error}. Run kvtui as root."
        ) from error


def open_channel(pid: int | None) -> GenericNetlink:
    """A socket of the IPVS family in the network namespace of a process; ``require_ipvs`` comes first.

    Raises:
        IpvsUnavailable: the process ended, or the module went away meanwhile.
        PermissionError: the namespace may not be entered.
        OSError: no socket can be had.
    """
    try:
        return open_in_network(pid, lambda: GenericNetlink(uapi.GENL_NAME, uapi.GENL_VERSION))
    except FileNotFoundError as error:
        if pid is not None and not Path(f"/proc/{pid}").exists():
            raise IpvsUnavailable(Reason.NO_PROCESS, f"Process {pid} has ended meanwhile.") from error
        raise IpvsUnavailable(Reason.NOT_LOADED, f"ip_vs cannot be reached by netlink: {error}.") from error
    except ProcessLookupError as error:
        raise IpvsUnavailable(Reason.NO_PROCESS, f"Process {pid} has ended meanwhile.") from error
