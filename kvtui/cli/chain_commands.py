"""The commands about what is mapped to what: ``mappings``, ``trace`` and ``render``."""

from __future__ import annotations

from typing import Annotated

import typer

from kvtui.cli.completion import values
from kvtui.cli.options import LISTEN, DialectOption, FormatOption, ListenOption, WatchOption


def mappings(
    context: typer.Context, output: FormatOption = None, watch: WatchOption = False, listen: ListenOption = LISTEN
) -> None:
    """The ConfigMap's entries: what becomes of each, and where its chain breaks.

    Example: kvtui mappings --watch
    """
    from kvtui.cli.show import show  # noqa: PLC0415 - asyncio; --help and completion do without

    show(context.obj, "mappings", output or context.obj.form, watch=watch, listen=listen)


def trace(
    context: typer.Context,
    vip: Annotated[
        str,
        typer.Argument(
            metavar="VIP[:PORT]", autocompletion=values.vips, help="Of an IPv6 one with a port: [VIP]:PORT."
        ),
    ],
    connect: Annotated[bool, typer.Option("--connect", help="Also connect to it over TCP, from here.")] = False,
    output: FormatOption = None,
    listen: ListenOption = LISTEN,
) -> None:
    """One VIP layer by layer, from the ConfigMap to the VRRP owner: the first break, and what to do next.

    Exit code: 0 whole, 1 broken, 2 no such VIP, 3 could not tell: a layer that is expected cannot be seen, such as
    the ConfigMap of a keepalived-vip where no API can be asked. With --no-kube only this node is judged.

    Example: kvtui trace 10.4.0.50:80
    """
    from kvtui.cli.trace import trace as follow  # noqa: PLC0415 - brings the rules of the chain

    raise typer.Exit(follow(context.obj, vip, output or context.obj.form, connect=connect, listen=listen))


def render(
    context: typer.Context,
    dialect: DialectOption = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="How keepalived.conf of this node differs; passwords are masked.")
    ] = False,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="For this node of the cluster; else the one here.")
    ] = None,
    iface: Annotated[
        str | None, typer.Option("--iface", metavar="NAME", help="That node's interface, where nothing here tells it.")
    ] = None,
    output: FormatOption = None,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds for the API to answer, at most.")] = 5.0,
) -> None:
    """The keepalived.conf that the controller should have written for what the API says now.

    Exit code: 0 printed (--diff: the same), 1 the file differs, 2 usage, 3 could not tell. Example: kvtui render --diff
    """
    from kvtui.cli.render import Wanted  # noqa: PLC0415 - brings the rules of what is expected
    from kvtui.cli.render import render as print_expected  # noqa: PLC0415

    wanted = Wanted(dialect, node, iface, diff, output or context.obj.form, wait)
    raise typer.Exit(print_expected(context.obj, wanted))
