"""The commands ``trace`` and ``render``."""

from __future__ import annotations

from typing import Annotated

import typer

from kvtui.cli.completion import values
from kvtui.cli.options import DEFAULT_LISTEN_SECONDS, DialectOption, ListenOption


def trace(
    context: typer.Context,
    vip: Annotated[
        str,
        typer.Argument(
            metavar="VIP[:PORT]",
            autocompletion=values.vips,
            help="Or NAMESPACE/SERVICE[:PORT]. With IPv6 and a port: [VIP]:PORT.",
        ),
    ],
    connect: Annotated[bool, typer.Option("--connect", help="Also connect to it over TCP, from here.")] = False,
    listen: ListenOption = DEFAULT_LISTEN_SECONDS,
) -> None:
    """Show the chain of one VIP: the first break, and what to do.

    The chain goes from the ConfigMap to the VRRP owner.

    Exit code: 0 every layer is ok, 1 a layer is broken, 2 no such VIP, 3 unknown, because an expected layer cannot be
    read, such as the ConfigMap of a keepalived-vip without an API. --no-kube checks this node only.

    Examples: kvtui trace 10.4.0.50:80; kvtui trace default/nginx
    """
    from kvtui.cli.trace import trace as print_trace  # noqa: PLC0415 - imports the rules of the chain

    raise typer.Exit(print_trace(context.obj, vip, context.obj.form, connect=connect, listen=listen))


def render(
    context: typer.Context,
    dialect: DialectOption = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="Compare with this node's keepalived.conf; passwords are masked.")
    ] = False,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="For another node of the cluster; default: this node.")
    ] = None,
    iface: Annotated[
        str | None, typer.Option("--iface", metavar="NAME", help="That node's interface, if kvtui cannot find it.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Maximum seconds to wait for the API.")] = 5.0,
) -> None:
    """Print the keepalived.conf that the controller should write.

    It follows from the current state of the API.

    Exit code: 0 printed (--diff: no difference), 1 the file differs, 2 usage, 3 unknown. Example: kvtui render --diff
    """
    from kvtui.cli.render import RenderRequest  # noqa: PLC0415 - imports the rules of what is expected
    from kvtui.cli.render import render as print_expected  # noqa: PLC0415

    request = RenderRequest(dialect, node, iface, diff, context.obj.form, wait)
    raise typer.Exit(print_expected(context.obj, request))
