"""The commands that show something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kvtui.cli.commands import ClusterCommand, NodeCommand
from kvtui.cli.completion import values
from kvtui.cli.invocation import DEFAULT_LISTEN_SECONDS
from kvtui.model.mapping import Dialect  # noqa: TC001 - Typer reads the annotation

if TYPE_CHECKING:
    from collections.abc import Callable

WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch",
        "-w",
        help="Until Ctrl+C: a terminal is redrawn in place; a pipe gets the lines that changed, or with JSON and YAML "
        "a document at every change and every --interval seconds.",
    ),
]
ListenOption = Annotated[
    float,
    typer.Option(
        "--listen", min=0, help="Maximum seconds to wait for adverts, which tell the owner of each VIP. 0: do not wait."
    ),
]

HELP = {
    "status": """Show VIPs, VRRP, IPVS, and what kvtui cannot read.

    Example: kvtui status -o json | jq .sources
    """,
    "vrrp": """Show VRRP instances: state, priorities, master, peers.

    Example: kvtui vrrp --watch
    """,
    "mappings": """Show the ConfigMap's entries and where their chains break.

    CHAIN has one mark for each layer: ConfigMap, Service, endpoints, config file, running config, IPVS, address, VRRP
    owner. + is ok, X broken, ? unknown, . not expected.

    Example: kvtui mappings --watch
    """,
}


def view_command(view: str) -> Callable[..., None]:
    def command(
        context: typer.Context, watch: WatchOption = False, listen: ListenOption = DEFAULT_LISTEN_SECONDS
    ) -> None:
        from kvtui.cli.views import show  # noqa: PLC0415 - asyncio; --help and completion do without

        show(context.obj, view, watch=watch, listen=listen)

    command.__name__, command.__doc__ = view, HELP[view]
    return command


def vips(
    context: typer.Context,
    address: Annotated[
        list[str] | None,
        typer.Argument(autocompletion=values.vips, help="Only these VIPs, with their real servers. Default: all."),
    ] = None,
    watch: WatchOption = False,
    listen: ListenOption = DEFAULT_LISTEN_SECONDS,
) -> None:
    """Show who owns each VIP, and whether it is on this node.

    Examples: kvtui vips 10.4.0.50; kvtui vips --watch -o json
    """
    from kvtui.cli.views import show  # noqa: PLC0415 - asyncio; --help and completion do without

    show(context.obj, "vips", watch=watch, listen=listen, only=tuple(address or ()))


def ipvs(context: typer.Context, watch: WatchOption = False) -> None:
    """Show the IPVS table: weights, connections, rates, totals.

    Example: kvtui ipvs --watch
    """
    from kvtui.cli.views import show  # noqa: PLC0415 - asyncio; --help and completion do without

    show(context.obj, "ipvs", watch=watch, listen=None)


def triage(
    context: typer.Context,
    watch: WatchOption = False,
    listen: Annotated[
        float | None,
        typer.Option("--listen", min=0, help="Seconds to observe; default: as long as an election takes, about 4 s."),
    ] = None,
) -> None:
    """Show the problems of this node, worst first.

    Each finding has its evidence and the command that helps.

    Exit code: 0 none, 1 a warning, 2 a critical finding, 3 unknown, because a required source cannot be read.

    Example: kvtui triage -o json | jq '.findings[0].remedy'
    """
    from kvtui.cli.findings import triage as print_findings  # noqa: PLC0415 - imports all rules

    raise typer.Exit(print_findings(context.obj, watch=watch, listen=listen))


def top(
    context: typer.Context,
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="How many real servers. Default: as many as fit.")
    ] = None,
) -> None:
    """Show the busiest real servers, most connections per second first.

    On a terminal until Ctrl+C; in a pipe once.

    Example: kvtui top -n 5
    """
    from kvtui.cli.views import show_top  # noqa: PLC0415 - asyncio; --help and completion do without

    show_top(context.obj, count)


def cluster(
    context: typer.Context,
    watch: WatchOption = False,
    listen: Annotated[
        float | None,
        typer.Option("--listen", min=0, help="Seconds to observe; default: until every node has answered or failed."),
    ] = None,
) -> None:
    """Show all nodes: who owns each VIP, who is next, who hears whom, what differs.

    kvtui reaches the other nodes by ssh, which must need no password, and reads the kvtui there.

    HEARS has a row for each listener: + hears the adverts, X does not, ! hears but does not follow, . none are sent.

    Example: kvtui --hosts node-a,node-b cluster --watch
    """
    from kvtui.cli.cluster import cluster as show_cluster  # noqa: PLC0415 - --help and completion do without

    show_cluster(context.obj, watch=watch, listen=listen)


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

    raise typer.Exit(print_trace(context.obj, vip, connect=connect, listen=listen))


def render(
    context: typer.Context,
    dialect: Annotated[
        Dialect | None, typer.Option("--dialect", help="Which controller writes the file; default: guessed, and named.")
    ] = None,
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
    from kvtui.cli.render import render as show_expected  # noqa: PLC0415 - imports the rules of what is expected

    code = show_expected(context.obj, dialect=dialect, node=node, interface=iface, diff=diff, wait=wait)
    raise typer.Exit(code)


def add_to(app: typer.Typer) -> None:
    views = (view_command("status"), view_command("vrrp"), vips, ipvs, top, view_command("mappings"))
    for command in (*views, trace, render, triage):
        app.command(cls=NodeCommand)(command)
    app.command(cls=ClusterCommand)(cluster)
