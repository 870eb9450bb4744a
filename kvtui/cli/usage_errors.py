"""Usage errors that say what would be right; click says only what is wrong."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

# typer 0.28 keeps its copy of click here; pyproject.toml pins the version
from typer._click.exceptions import BadParameter, MissingParameter
from typer._click.types import FloatParamType, IntParamType
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click import Context, Parameter


@contextmanager
def clear_usage_errors(ctx: Context) -> Iterator[None]:
    try:
        yield
    except MissingParameter as error:
        if error.param is not None and (values := _values(error.param, ctx)):
            from kvtui.rules.phrases import listed  # noqa: PLC0415 - only for an error

            error.message = f"This node has {listed(values)}"
        raise
    except BadParameter as error:
        kind = error.param.type if error.param is not None else None
        wrong, found, _ = error.message.partition(" is not a valid ")
        if found and isinstance(kind, IntParamType | FloatParamType):
            error.message = f"{wrong} is not {_number(kind)}"
        raise


def refuse_infinite(ctx: Context) -> None:
    """Refuses nan and inf, which Python takes for numbers."""
    for param in ctx.command.get_params(ctx):
        value = ctx.params.get(str(param.name))
        if isinstance(value, float) and not math.isfinite(value):
            raise BadParameter(f"{value} is not a finite number", ctx, param)


def _values(param: Parameter, ctx: Context) -> tuple[str, ...]:
    """Returns the values that a shell would complete: names of this node."""
    return tuple(item.value for item in param.shell_complete(ctx, "") if item.value and not item.value.startswith("-"))


def _number(kind: Any) -> str:
    what = "a whole number" if isinstance(kind, IntParamType) else "a number"
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    if least is None:
        return what
    return f"{what} from {least:g} to {most:g}" if most is not None else f"{what} of at least {least:g}"


class ClearGroup(TyperGroup):
    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        with clear_usage_errors(ctx):
            rest = super().parse_args(ctx, args)
            refuse_infinite(ctx)
        return rest
