"""The commands that act; each plans, asks, carries out, verifies and writes down (see ``act``)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kvtui.cli.completion import values
from kvtui.cli.options import FormatOption  # noqa: TC001 - Typer reads the annotation

ForceOption = Annotated[bool, typer.Option("--force", help="Do what the plan calls UNSAFE all the same.")]
ServiceOption = Annotated[
    str | None,
    typer.Option(
        "--service", autocompletion=values.services, help="VIP:PORT or `fwmark N`: only in this virtual server."
    ),
]


def _act(context: typer.Context, *, force: bool = False, **wanted: Any) -> None:
    from kvtui.actions.intent import Intent  # noqa: PLC0415 - only commands that act need it
    from kvtui.cli.act import act  # noqa: PLC0415

    raise typer.Exit(act(context.obj, Intent(**wanted), force=force))


def reload(context: typer.Context, force: ForceOption = False) -> None:
    """Test the config, send SIGHUP, and verify by evidence that keepalived runs it.

    Example: kvtui --reason "new VIP" reload
    """
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    _act(context, force=force, verb=Verb.RELOAD)


def drain(
    context: typer.Context,
    real: Annotated[
        str, typer.Argument(metavar="REAL[:PORT]", autocompletion=values.reals, help="Address of the real server.")
    ],
    service: ServiceOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has no connections left.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds that --wait takes at most.")] = 300,
    over: Annotated[str, typer.Option("--over", help="Lower the weight in steps over this time, such as 60s.")] = "0",
    fix_persistence: Annotated[
        bool,
        typer.Option("--fix-persistence", help="Also set expire_quiescent_template, so that returning clients leave."),
    ] = False,
    force: ForceOption = False,
) -> None:
    """Give a real server weight 0: no new connections; `undrain` gives the weight back.

    Example: kvtui --reason "kernel update" drain 10.4.0.11 --wait
    """
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    _act(
        context,
        force=force,
        verb=Verb.DRAIN,
        target=real,
        service=service,
        wait=timeout if wait else None,
        over=_seconds(over),
        fix_persistence=fix_persistence,
    )


def _seconds(text: str) -> float:
    """``60``, ``60s`` or ``2m`` in seconds."""
    scale = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    number = text[:-1] if scale else text
    try:
        value = float(number) * (scale or 1.0)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"«{text}» is no time; write 60s or 2m", param_hint="'--over'")
    return value


def undrain(
    context: typer.Context,
    real: Annotated[
        str, typer.Argument(metavar="REAL[:PORT]", autocompletion=values.reals, help="Address of the real server.")
    ],
    service: ServiceOption = None,
    force: ForceOption = False,
) -> None:
    """Give a drained real server the weight back that it had.

    Example: kvtui undrain 10.4.0.11
    """
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    _act(context, force=force, verb=Verb.UNDRAIN, target=real, service=service)


def priority(
    context: typer.Context,
    instance: Annotated[str, typer.Argument(autocompletion=values.instances, help="Name of the vrrp_instance.")],
    value: Annotated[int | None, typer.Argument(min=1, max=255, help="1 to 255.")] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Give back the priority from before kvtui changed it.")
    ] = False,
    track_file: Annotated[
        bool | None,
        typer.Option(
            "--track-file/--config-line", help="By its track file, or its line of the config; else the better one."
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Change one instance's priority: its track file, or one line of the config; verified on the wire.

    Example: kvtui priority vips 90
    """
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    if (value is None) is not reset:
        raise typer.BadParameter("give either a number from 1 to 255 or --reset", param_hint="'VALUE'")
    _act(
        context,
        force=force,
        verb=Verb.PRIORITY,
        target=instance,
        value=value or 0,
        reset=reset,
        use_track_file=track_file,
    )


def failover(
    context: typer.Context,
    instance: Annotated[str, typer.Argument(autocompletion=values.instances, help="Name of the vrrp_instance.")],
    force: ForceOption = False,
) -> None:
    """Make the VIPs of an instance leave this node, by the gentlest way that works here.

    Example: kvtui --dry-run failover vips
    """
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    _act(context, force=force, verb=Verb.FAILOVER, target=instance)


def undo(
    context: typer.Context,
    entry: Annotated[
        str,
        typer.Argument(metavar="[ID]", autocompletion=values.entries, help="From `kvtui journal`; else the newest."),
    ] = "",
    finish: Annotated[bool, typer.Option("--finish", help="Finish an action that was cut short.")] = False,
    leave: Annotated[bool, typer.Option("--leave", help="Leave things as they are and close the entry.")] = False,
    force: ForceOption = False,
) -> None:
    """Take back what was done here; refused when the world has changed since.

    Example: kvtui undo
    """
    from kvtui.actions.plan import Verb  # noqa: PLC0415

    _act(context, force=force, verb=Verb.UNDO, target=entry, finish=finish, leave=leave)


def journal(context: typer.Context, output: FormatOption = None) -> None:
    """What was done on this node, by whom, why, and how it ended.

    Example: kvtui journal -o json
    """
    from kvtui.cli.act import show_journal  # noqa: PLC0415

    raise typer.Exit(show_journal(context.obj, output or context.obj.form))


CODES = (
    "Exit code: 0 done and verified, 1 failed and put back, 2 usage, 3 refused, 4 not verified in time, "
    "130 interrupted and put back."
)
"""What stands below the help of each command that acts."""
ACTING = (reload, drain, undrain, priority, failover, undo)
"""In the order of the help."""
