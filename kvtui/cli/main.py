"""The ``kvtui`` command: global options, then a command; without a command the terminal UI."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kvtui.backend.config_file import read as read_config
from kvtui.backend.output_writer import OutputError
from kvtui.cli.commands import ClearGroup
from kvtui.cli.completion import values
from kvtui.cli.invocation import DEFAULT_LISTEN_SECONDS, Invocation
from kvtui.cli.output import EXIT_FAILED, EXIT_INTERRUPTED, Format, fail, finish, info, own_streams, write
from kvtui.model.config import NAME, SETTINGS, ColourMode, Kind, Theme
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.settings import KubeSettings
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kvtui.model.config import Config

EPILOG = """Examples:

kvtui --demo                        a built-in cluster, to learn the screens

kvtui status                        this node as plain text

kvtui -o json vips | jq '.vips[] | select(.owner == null)'

kvtui vips --watch                  print the VIPs at every change

KVTUI_PID=4711 kvtui ipvs           another keepalived on this node"""

HELP = frozenset({"-h", "--help"})
PARTS = (
    ("status vrrp vips ipvs top mappings trace render triage cluster", "view_commands"),
    ("reload check drain undrain priority failover undo journal", "act_commands"),
    ("config schema completion", "self_commands"),
)
"""Names of commands and the module that registers them, in the order of the help."""
LISTENING_COMMANDS = ("status", "vrrp", "vips", "mappings", "trace")
"""Commands whose ``--listen`` defaults to the setting ``listen``."""


def _print_version(context: typer.Context, requested: bool) -> None:
    if requested and not context.resilient_parsing:  # completion parses options too
        from kvtui import __version__  # noqa: PLC0415

        write(f"kvtui {__version__}\n")
        raise typer.Exit


def _start_debug_log(context: typer.Context, requested: bool) -> bool:
    if not requested or context.resilient_parsing or context.find_root().params.get("debug"):
        return requested
    from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - only with --debug
    from kvtui.backend.diagnostics import debug_log  # noqa: PLC0415 - as above

    try:
        info(f"debug log: {plain(str(debug_log.start(folder())))}")
    except OSError as error:
        info(f"no debug log: {plain(str(error))}")
    return requested


def _namespaced(value: str | None) -> str | None:
    """Checks ``namespace/name`` here, so that a mistake is a usage error and not a failed request."""
    if value is not None and not re.fullmatch(f"{NAME}/{NAME}", value):
        raise typer.BadParameter("write NAMESPACE/NAME, such as default/vip-configmap")
    return value


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
            help="PID of a keepalived; default: the one in this network namespace.",
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", envvar="KVTUI_DEMO", help="Show a built-in three-node cluster instead of this node."),
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
        Format,
        typer.Option("-o", "--output", envvar="KVTUI_OUTPUT", help="text, wide (every column), name, json or yaml."),
    ] = Format.TEXT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="KVTUI_DRY_RUN", help="Show the plan of an action and stop.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", envvar="KVTUI_YES", help="Apply the plan without a question.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", envvar="KVTUI_REASON", help="Reason for an action, for the journal.")
    ] = "",
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig",
            envvar="KVTUI_KUBECONFIG",
            metavar="FILE",
            autocompletion=values.files,
            help="Kubeconfig of the API. Default: the pod's service account, $KUBECONFIG, ~/.kube/config.",
        ),
    ] = None,
    kube_context: Annotated[
        str | None, typer.Option("--context", envvar="KVTUI_CONTEXT", metavar="NAME", help="Context of the kubeconfig.")
    ] = None,
    configmap: Annotated[
        str | None,
        typer.Option(
            "--configmap",
            envvar="KVTUI_CONFIGMAP",
            metavar="NS/NAME",
            callback=_namespaced,
            help="ConfigMap that maps VIPs to Services. Default: the controller's own --services-configmap.",
        ),
    ] = None,
    no_kube: Annotated[
        bool,
        typer.Option(
            "--no-kube/--kube",
            envvar="KVTUI_NO_KUBE",
            help="Do not use a Kubernetes API; mappings then come from keepalived.conf.",
        ),
    ] = False,
    hosts: Annotated[
        str | None,
        typer.Option(
            "--hosts",
            envvar="KVTUI_HOSTS",
            metavar="HOST,...",
            help="The other nodes, as ssh knows them, or pod/NAMESPACE/NAME.",
        ),
    ] = None,
    theme: Annotated[
        Theme, typer.Option("--theme", envvar="KVTUI_THEME", help="Colours; auto depends on the terminal and NO_COLOR.")
    ] = Theme.AUTO,
    color: Annotated[
        ColourMode,
        typer.Option("--color", envvar="KVTUI_COLOR", help="Colours of text; auto: on a terminal without NO_COLOR."),
    ] = ColourMode.AUTO,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            callback=_start_debug_log,
            help="Write a debug log without secrets; KVTUI_DEBUG=FILE sets the file.",
        ),
    ] = False,
    hold: Annotated[bool, typer.Option("--coordinated", hidden=True, help="For all_nodes: wait for its word.")] = False,
    terminal: Annotated[str, typer.Option("--terminal", hidden=True, help="TERM,COLORTERM, which exec loses.")] = "",
    peers: Annotated[str, typer.Option("--peers", hidden=True, help="For all_nodes: the other nodes.")] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The terminal UI and CLI for keepalived + IPVS nodes.

    Without a command: the terminal UI; without a terminal: the status as plain text.
    """
    del version
    for name, value in zip(("TERM", "COLORTERM"), terminal.split(","), strict=False):
        if value:
            os.environ[name] = value
    if os.environ.get("KVTUI_DEBUG"):
        _start_debug_log(context, not debug)
    _keep_libraries_quiet()
    run_ui, config = context.obj
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
        color=color,
        hosts=hosts,
        config=config,
        hold=hold,
        peers=peers,
    )
    context.obj = invocation
    if context.invoked_subcommand is None:
        _without_command(invocation, run_ui)
    elif context.invoked_subcommand != "config":  # which prints them itself
        _print_problems(config)


def _keep_libraries_quiet() -> None:
    """Without a handler, Python prints a library's warnings on stderr, such as asyncio's about a process."""
    import logging  # noqa: PLC0415 - what a command imports later needs it, a TAB does not

    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())


def _print_problems(config: Config) -> None:
    for problem in config.problems:
        info(problem)


def _crashed(error: Exception) -> None:
    from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - once, at the end
    from kvtui.backend.diagnostics import crash_report  # noqa: PLC0415 - as above

    for line in crash_report.save(error, folder()).split("\n"):
        info(line)


def _without_command(invocation: Invocation, run_ui: Callable[[Invocation], None]) -> None:
    reason = why_plain(os.environ)
    if reason is None and invocation.form.is_text:
        try:
            run_ui(invocation)
        except KeepalivedNotFoundError as error:
            fail(str(error))
        return
    _print_problems(invocation.config)
    if reason and invocation.form.is_text:
        info(f"plain status, because {reason}")
    from kvtui.cli.views import show  # noqa: PLC0415 - asyncio; the terminal UI does without

    show(invocation, "status", watch=False, listen=DEFAULT_LISTEN_SECONDS)


def why_plain(env: Mapping[str, str]) -> str | None:
    """Returns why the terminal UI cannot run here; None when it can.

    Textual reads stdin and draws on stderr or stdout. Without ``kubectl exec -t`` it prints escape sequences into a
    pipe and exits with 0. With ``TERM=dumb`` it sends 24-bit colours (measured).
    """
    others = [name for fd, name in enumerate(("stdin", "stdout", "stderr")) if not _is_terminal(fd)]
    if others:
        names = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
        return f"{names} {'are not terminals' if others[1:] else 'is not a terminal'} (with kubectl exec, add -it)"
    if env.get("TERM") == "dumb":
        return "TERM=dumb cannot draw (if this is a real terminal, set TERM=xterm-256color)"
    return None


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:  # closed
        return False


def application(words: Sequence[str] = tuple(HELP)) -> typer.Typer:
    app = typer.Typer(
        name="kvtui",
        cls=ClearGroup,
        help="The terminal UI and CLI for keepalived + IPVS nodes: which node holds each VIP, why, and the traffic.",
        epilog=EPILOG,
        invoke_without_command=True,
        no_args_is_help=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,  # no --install-completion, which edits dotfiles: `kvtui completion` prints the script
    )
    app.callback()(begin)
    _add_commands(app, words)
    return app


def _add_commands(app: typer.Typer, words: Sequence[str]) -> None:
    """Registers the commands that occur among the words; all of them if the command line may list them.

    Typer builds every registered command at each start: to import and build all takes 30 ms, more than Python itself
    takes to start. Options alone start the terminal UI, which needs none.
    """
    typed = frozenset(words)
    wanted = [module for names, module in PARTS if not typed.isdisjoint(names.split())]
    lists_all = bool(typed & HELP) or not (wanted or all(word.startswith("-") for word in words))
    for module in [module for _, module in PARTS] if lists_all else wanted:
        import_module(f"kvtui.cli.{module}").add_to(app)
    if not lists_all:
        app.registered_commands = [c for c in app.registered_commands if getattr(c.callback, "__name__", "") in typed]
        app.registered_groups = [group for group in app.registered_groups if group.name in typed]


def run(run_ui: Callable[[Invocation], None], arguments: list[str] | None = None) -> int:
    """Runs the command line; ``run_ui`` starts the terminal UI, which this package does not import."""
    with own_streams():
        return finish(_run(run_ui, arguments))


def _run(run_ui: Callable[[Invocation], None], arguments: list[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if "_KVTUI_COMPLETE" in os.environ:
        from typer._click.shell_completion import add_completion_class  # noqa: PLC0415 - only a TAB needs it

        from kvtui.cli.completion.shells import LineComplete  # noqa: PLC0415 - as above

        add_completion_class(LineComplete, LineComplete.name)
        words = list(HELP)
    config = read_config(os.environ)
    start: dict[str, Any] = {"obj": (run_ui, config), "default_map": _defaults(config)}
    try:
        app = application(words)
        result: Any = app(args=arguments, prog_name="kvtui", standalone_mode=True, **start)
    except SystemExit as ended:
        return ended.code or 0 if isinstance(ended.code, int | None) else EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_FAILED  # the reader is gone (`kvtui status | head`)
    except OutputError as error:
        info(str(error))
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - a bug: the operator gets a message and a report
        _crashed(error)
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _defaults(config: Config) -> dict[str, Any]:
    """Returns click's ``default_map``, so that ``--help`` shows the defaults of this node."""
    default_map: dict[str, Any] = {}
    for setting in SETTINGS:
        configured = config.values.get(setting.key)
        if configured is None or not setting.parameter:
            continue
        value = not configured.value if setting.inverse else configured.value
        if setting.kind is Kind.NAMES and isinstance(value, tuple):
            value = ",".join(value)
        if setting.parameter == "listen":
            default_map |= {command: {"listen": value} for command in LISTENING_COMMANDS}
        else:
            default_map[setting.parameter] = value
    return default_map
