"""The commands that act, made from the registry of actions; each plans, asks, applies, verifies and journals."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from msgspec.structs import replace

from kvtui.actions.core.definition import Argument, Flag, UsageError
from kvtui.actions.registry import ACTIONS
from kvtui.cli.completion import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.definition import ActionDefinition

ForceOption = Annotated[bool, typer.Option("--force", help="Do what the plan calls UNSAFE.")]
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

    def command(context: typer.Context, **parameters: Any) -> None:
        from kvtui.cli.act import act  # noqa: PLC0415 - only a command that acts needs it

        force = parameters.pop("force")
        try:
            intent = replace(action.command(**parameters), force=force)
        except UsageError as error:
            raise typer.BadParameter(str(error), param_hint=f"'{error.parameter}'") from None
        raise typer.Exit(act(context.obj, intent, force=force))

    hints = get_type_hints(action.command, include_extras=True)
    given = inspect.signature(action.command).parameters.values()
    own = [p.replace(annotation=_for_typer(p.name, hints[p.name])) for p in given]
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    last = inspect.Parameter("force", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation=ForceOption)
    vars(command).update(__signature__=inspect.Signature([first, *own, last]))
    command.__annotations__ = {p.name: p.annotation for p in (first, *own, last)}
    command.__name__, command.__doc__ = action.kind.value, action.command.__doc__
    return command


def _for_typer(name: str, annotation: Any) -> Any:
    kind, meta = get_args(annotation)
    common = {"help": meta.help, "min": meta.least, "autocompletion": COMPLETIONS.get(name)}
    if isinstance(meta, Argument):
        return Annotated[kind, typer.Argument(metavar=meta.metavar or None, max=meta.most, **common)]
    assert isinstance(meta, Flag)  # noqa: S101 - a definition's parameter is one or the other
    return Annotated[kind, typer.Option(meta.name, **common)]


def journal(context: typer.Context) -> None:
    """Show what was done here, by whom, why, and the result.

    Example: kvtui journal -o json
    """
    from kvtui.cli.act import show_journal  # noqa: PLC0415

    raise typer.Exit(show_journal(context.obj))


CODES = (
    "Exit code: 0 done and verified, 1 failed and put back, 2 usage, 3 refused, 4 not verified in time, "
    "130 interrupted and put back."
)
"""Below the help of each command that acts."""
ACTING = tuple(map(command_of, ACTIONS))
"""In the order of the help."""
