"""The commands that act, made from the registry of actions; each plans, asks, applies, verifies and journals."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from msgspec.structs import replace

from kvtui.actions.core.definition import Argument, Flag, UsageError
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.registry import ACTIONS
from kvtui.cli.commands import ActionCommand, NodeCommand
from kvtui.cli.completion import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.definition import ActionDefinition
    from kvtui.actions.core.intent import Intent
    from kvtui.cli.invocation import Invocation

ForceOption = Annotated[bool, typer.Option("--force", help="Apply an UNSAFE plan.")]
AllNodesOption = Annotated[
    bool | None,
    typer.Option("--all-nodes", help="On all nodes of --hosts: all plan first, then all apply, or all put back."),
]
SEVERAL_NODES: dict[ActionKind, dict[str, Any]] = {
    ActionKind.DRAIN: {"all_nodes": AllNodesOption},
    ActionKind.UNDRAIN: {"all_nodes": AllNodesOption},
    ActionKind.RELOAD: {
        "all_nodes": AllNodesOption,
        "one_at_a_time": Annotated[
            bool | None,
            typer.Option("--one-at-a-time", help="With --all-nodes: one by one; stop at the first that fails."),
        ],
    },
    ActionKind.FAILOVER: {
        "to": Annotated[
            str | None,
            typer.Option("--to", metavar="NODE", help="Which node of --hosts becomes master, by its name there."),
        ]
    },
}
COMPLETIONS = {
    "real": values.reals,
    "service": values.services,
    "instance": values.instances,
    "entry": values.entries,
    "name": values.checks,
}
"""Parameters whose values a shell completes from the node."""


def command_of(action: ActionDefinition) -> Callable[..., None]:
    """Returns a Typer command with the parameters and the help of an action's definition."""
    for_several = SEVERAL_NODES.get(action.kind, {})

    def command(context: typer.Context, **parameters: Any) -> None:
        from kvtui.cli.act import act  # noqa: PLC0415 - only a command that acts needs it

        force = parameters.pop("force")
        several = {name: parameters.pop(name) for name in for_several}
        try:
            intent = replace(action.command(**parameters), force=force)
        except UsageError as error:
            raise typer.BadParameter(str(error), param_hint=f"'{error.parameter}'") from None
        if any(several.values()):
            if parameters.get("keep"):
                raise typer.BadParameter("it does not end: use it on each node", param_hint="'--keep'")
            words = (*_words(action, parameters), *(("--force",) if force else ()))
            raise typer.Exit(_on_several(context.obj, intent, words, **several))
        raise typer.Exit(act(context.obj, intent))

    hints = get_type_hints(action.command, include_extras=True)
    given = inspect.signature(action.command).parameters.values()
    parameters = [
        _parameter("context", typer.Context),
        *(p.replace(annotation=_for_typer(p.name, hints[p.name])) for p in given),
        *(_parameter(name, annotation, default=None) for name, annotation in for_several.items()),
        _parameter("force", ForceOption, default=False),
    ]
    vars(command).update(__signature__=inspect.Signature(parameters))
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__name__, command.__doc__ = action.kind.value, action.command.__doc__
    return command


def _parameter(name: str, annotation: Any, *, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def _on_several(
    invocation: Invocation,
    intent: Intent,
    words: tuple[str, ...],
    *,
    all_nodes: bool | None = None,
    one_at_a_time: bool | None = None,
    to: str | None = None,
) -> int:
    from kvtui.cli.all_nodes import failover_to, on_all_nodes  # noqa: PLC0415 - as act above

    if to is not None:
        return failover_to(invocation, intent.target, to)
    if not all_nodes:
        raise typer.BadParameter("it goes with --all-nodes", param_hint="'--one-at-a-time'")
    return on_all_nodes(invocation, words, one_at_a_time=bool(one_at_a_time))


def _words(action: ActionDefinition, parameters: dict[str, Any]) -> tuple[str, ...]:
    hints = get_type_hints(action.command, include_extras=True)
    words: list[str] = []
    arguments: list[str] = []
    for name, given in inspect.signature(action.command).parameters.items():
        value, meta = parameters[name], get_args(hints[name])[1]
        if value == given.default or value is None:
            continue
        if isinstance(meta, Argument):
            arguments.append(str(value))
        elif isinstance(value, bool):
            words.append(meta.name.split("/")[0 if value else -1])
        else:
            words += [meta.name, str(value)]
    return (action.kind.value, *words, *(("--", *arguments) if arguments else ()))


def _for_typer(name: str, annotation: Any) -> Any:
    kind, meta = get_args(annotation)
    common = {"help": meta.help, "min": meta.minimum, "autocompletion": COMPLETIONS.get(name)}
    if isinstance(meta, Argument):
        return Annotated[kind, typer.Argument(metavar=meta.metavar or None, max=meta.maximum, **common)]
    assert isinstance(meta, Flag)  # noqa: S101 - a definition's parameter is one or the other
    return Annotated[kind, typer.Option(meta.name, **common)]


def journal(context: typer.Context) -> None:
    """Show what was done here, by whom, why, and the result.

    Example: kvtui journal -o json
    """
    from kvtui.cli.journal import show_journal  # noqa: PLC0415 - as act above

    show_journal(context.obj)


CODES = (
    "Exit code: 0 done and verified, 1 failed and put back, 2 usage, 3 refused, 4 not verified in time, "
    "130 interrupted and put back."
)


def add_to(app: typer.Typer) -> None:
    for action in ACTIONS:
        app.command(cls=ActionCommand, epilog=CODES)(command_of(action))
    app.command(cls=NodeCommand)(journal)
