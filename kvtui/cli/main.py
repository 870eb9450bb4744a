"""The ``kvtui`` command: global options, then a command; without one, the terminal UI."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kvtui.backend.config_file import read as read_config
from kvtui.cli import act_commands, chain_commands, config_commands, self_commands
from kvtui.cli.completion import values
from kvtui.cli.config_layer import CliContext, defaults
from kvtui.cli.invocation import Invocation
from kvtui.cli.lazy_commands import lazy_commands
from kvtui.cli.options import (
    LISTEN,
    ConfigMapOption,
    ContextOption,
    FormatOption,
    KubeconfigOption,
    ListenOption,
    NoKubeOption,
    ThemeOption,
    WatchOption,
)
from kvtui.cli.output import EXIT_FAILED, EXIT_INTERRUPTED, Format, fail, finish, info, own_streams, write
from kvtui.model.config import Theme
from kvtui.model.settings import KubeSettings
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.config import Config

EXIT_USAGE = 2

EPILOG = """Examples:

kvtui --demo                        learn the screens where nothing can break

kvtui status                        this node in plain text

kvtui -o json vips | jq '.vips[] | select(.owner == null)'

kvtui vips --watch                  a line for every change, when the kernel says so

KVTUI_PID=4711 kvtui ipvs           another keepalived on this node"""

app = typer.Typer(
    name="kvtui",
    help="The terminal UI and CLI for keepalived + IPVS nodes: who holds each VIP, why, and what traffic flows.",
    epilog=EPILOG,
    invoke_without_command=True,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,  # no --install-completion, which edits the person's dotfiles: `kvtui completion` prints it
)


def _print_version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:  # completion parses options too
        from kvtui import __version__  # noqa: PLC0415

        write(f"kvtui {__version__}\n")
        raise typer.Exit


@app.callback()
def begin(
    context: typer.Context,
    read_only: Annotated[
        bool, typer.Option("--read-only", envvar="KVTUI_READ_ONLY", help="Forbid every write, signals included.")
    ] = False,
    pid: Annotated[
        int | None,
        typer.Option(
            "--pid",
            envvar="KVTUI_PID",
            autocompletion=values.pids,
            help="Which keepalived; else the one in this network namespace.",
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", envvar="KVTUI_DEMO", help="A built-in three-node cluster instead of this node.")
    ] = False,
    ascii_only: Annotated[
        bool, typer.Option("--ascii/--no-ascii", envvar="KVTUI_ASCII", help="Draw with ASCII characters only.")
    ] = False,
    mouse: Annotated[
        bool,
        typer.Option("--mouse/--no-mouse", envvar="KVTUI_MOUSE", help="Use the mouse (costs bytes on a slow line)."),
    ] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", envvar="KVTUI_INTERVAL", min=0.2, help="Seconds between readings of counters."),
    ] = 1.0,
    output: Annotated[
        Format, typer.Option("-o", "--output", envvar="KVTUI_OUTPUT", help="text, json or yaml.")
    ] = Format.TEXT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="KVTUI_DRY_RUN", help="Show the plan of an action and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", envvar="KVTUI_YES", help="Agree to the plan beforehand.")] = False,
    reason: Annotated[str, typer.Option("--reason", envvar="KVTUI_REASON", help="Why, for the journal.")] = "",
    kubeconfig: KubeconfigOption = None,
    kube_context: ContextOption = None,
    configmap: ConfigMapOption = None,
    no_kube: NoKubeOption = False,
    theme: ThemeOption = Theme.AUTO,
    debug: Annotated[
        bool, typer.Option("--debug", help="Write a debug log without secrets; KVTUI_DEBUG=FILE chooses the file.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The terminal UI and CLI for keepalived + IPVS nodes.

    Without a command, the terminal UI; where there is no terminal, plain status.
    """
    del version
    if debug or os.environ.get("KVTUI_DEBUG"):
        _start_debug_log()
    cli_context: CliContext = context.obj
    config = cli_context.config
    invocation = Invocation(
        read_only=read_only,
        pid=pid,
        demo=demo,
        ascii=ascii_only,
        mouse=mouse,
        form=output,
        interval=interval,
        dry_run=dry_run,
        yes=yes,
        reason=reason,
        kube=KubeSettings(not no_kube, kubeconfig, kube_context, configmap),
        theme=theme,
        config=config,
    )
    context.obj = invocation
    if context.invoked_subcommand is None:
        _without_command(invocation, cli_context.run_ui)
    elif context.invoked_subcommand != "config":  # which says it itself
        _narrate_problems(config)


def _narrate_problems(config: Config) -> None:
    for problem in config.problems:
        info(problem)


def _start_debug_log() -> None:
    from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - only with --debug
    from kvtui.backend.diagnostics import debug_log  # noqa: PLC0415 - as above

    try:
        info(f"debug log: {plain(str(debug_log.start(folder())))}")
    except OSError as error:
        info(f"no debug log: {plain(str(error))}")


def _crashed(error: Exception) -> None:
    from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - once, at the end
    from kvtui.backend.diagnostics import crash_report  # noqa: PLC0415 - as above

    for line in crash_report.save(error, folder()).split("\n"):
        info(line)


def _without_command(invocation: Invocation, run_ui: Callable[[Invocation], None]) -> None:
    from kvtui.cli.terminal import Streams as TerminalStreams  # noqa: PLC0415
    from kvtui.cli.terminal import why_plain  # noqa: PLC0415

    reason = why_plain(os.environ, TerminalStreams.ours())
    if reason is None and invocation.form is Format.TEXT:
        run_ui(invocation)
        return
    _narrate_problems(invocation.config)
    if reason and invocation.form is Format.TEXT:
        info(f"plain status, since {reason}")
    _show(invocation, "status", None, watch=False, listen=LISTEN)


def _show(invocation: Invocation, view: str, form: Format | None, *, watch: bool, listen: float) -> None:
    from kvtui.cli.show import show  # noqa: PLC0415 - asyncio; --help and completion do without

    show(invocation, view, form or invocation.form, watch=watch, listen=listen)


@app.command()
def status(
    context: typer.Context, output: FormatOption = None, watch: WatchOption = False, listen: ListenOption = LISTEN
) -> None:
    """Everything known of this node: VIPs, VRRP, IPVS, and what could not be read.

    Example: kvtui status -o json | jq .sources
    """
    _show(context.obj, "status", output, watch=watch, listen=listen)


@app.command()
def vrrp(
    context: typer.Context, output: FormatOption = None, watch: WatchOption = False, listen: ListenOption = LISTEN
) -> None:
    """VRRP instances: state, priorities, master, and the peers seen on the wire.

    Example: kvtui vrrp --watch
    """
    _show(context.obj, "vrrp", output, watch=watch, listen=listen)


@app.command()
def vips(
    context: typer.Context, output: FormatOption = None, watch: WatchOption = False, listen: ListenOption = LISTEN
) -> None:
    """Who owns each VIP, and whether it is on an interface here.

    Example: kvtui vips --watch -o json
    """
    _show(context.obj, "vips", output, watch=watch, listen=listen)


@app.command()
def ipvs(context: typer.Context, output: FormatOption = None, watch: WatchOption = False) -> None:
    """IPVS: weight, connections, rates, totals and persistence side by side.

    Example: kvtui ipvs --watch
    """
    _show(context.obj, "ipvs", output, watch=watch, listen=0.0)


app.command()(chain_commands.mappings)
app.command()(chain_commands.trace)
app.command()(chain_commands.render)


@app.command()
def triage(
    context: typer.Context,
    output: FormatOption = None,
    watch: WatchOption = False,
    listen: Annotated[
        float | None, typer.Option("--listen", min=0, help="Seconds to observe; else as long as it takes, about 4 s.")
    ] = None,
) -> None:
    """What is wrong here, worst first, each with evidence and the command that helps.

    Exit code: 0 nothing, 1 a warning, 2 something critical, 3 could not tell.

    Example: kvtui triage -o json | jq '.findings[0].remedy'
    """
    from kvtui.cli.findings import triage as judge  # noqa: PLC0415 - brings all rules

    raise typer.Exit(judge(context.obj, output or context.obj.form, watch=watch, listen=listen))


for command in act_commands.ACTING:
    app.command(epilog=act_commands.CODES)(command)
app.command()(act_commands.journal)
app.add_typer(config_commands.app)
app.command()(self_commands.schema)
app.command()(self_commands.completion)


def run(run_ui: Callable[[Invocation], None], arguments: list[str] | None = None) -> int:
    """Run the command line; no traceback reaches a person for what is expected to go wrong.

    Args:
        run_ui: starts the terminal UI (the two are siblings: neither imports the other).
        arguments: instead of the process's own.

    Returns:
        The exit code.
    """
    with own_streams():
        return finish(_run(run_ui, arguments))


def _run(run_ui: Callable[[Invocation], None], arguments: list[str] | None) -> int:
    if "_KVTUI_COMPLETE" in os.environ:
        from kvtui.cli.completion.engine import register  # noqa: PLC0415 - only a TAB needs it

        register()
    config = read_config(os.environ)
    start: dict[str, Any] = {"obj": CliContext(run_ui, config), "default_map": defaults(config)}
    try:
        wanted = lazy_commands(app, sys.argv[1:] if arguments is None else arguments)
        result: Any = wanted(args=arguments, prog_name="kvtui", standalone_mode=True, **start)
    except SystemExit as ended:
        return _code(ended)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_FAILED  # the reader went away (`kvtui status | head`)
    except Exception as error:  # noqa: BLE001 - a bug of kvtui: the person gets a sentence and a file, no traceback
        _crashed(error)
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _code(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    return ended.code if isinstance(ended.code, int) else EXIT_FAILED


__all__ = ["EXIT_USAGE", "app", "fail", "run"]
