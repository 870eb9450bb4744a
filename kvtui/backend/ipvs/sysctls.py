"""The sysctls that decide what becomes of connections when a real server is drained or removed."""

from __future__ import annotations

from pathlib import Path

from kvtui.backend.namespaces import open_in_network

NAMES = ("conntrack", "expire_nodest_conn", "expire_quiescent_template", "conn_reuse_mode")


def read_sysctls(pid: int | None = None) -> dict[str, int]:
    """``net.ipv4.vs.…`` in the network namespace of a process.

    What /proc/sys/net shows depends on the thread that opens it, not on the path (net/sysctl_net.c), so it is read
    by a thread inside the namespace.

    Args:
        pid: whose network namespace; None is kvtui's own.

    Returns:
        Full names such as ``net.ipv4.vs.conntrack`` to their values; one that this kernel lacks is left out (all of
        them when ip_vs is not loaded).

    Raises:
        OSError: the namespace cannot be entered.
    """
    return open_in_network(pid, _read)


def _read() -> dict[str, int]:
    values = {}
    for name in NAMES:
        try:
            values[f"net.ipv4.vs.{name}"] = int(Path("/proc/sys/net/ipv4/vs", name).read_text("ascii"))
        except FileNotFoundError:
            continue
    return values
