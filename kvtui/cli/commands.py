"""The classes of commands: usage errors say what would be right, and global options may follow the command's name too.

``main.begin`` defines the global options.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

# typer 0.28 keeps its copy of click here; pyproject.toml pins the version
from typer._click.exceptions import BadParameter, MissingParameter, UsageError
from typer._click.types import FloatParamType, IntParamType
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click import Context, HelpFormatter, Parameter

NODE_OPTIONS = frozenset({
    "read_only", "pid", "demo", "ascii_only", "interval", "output", "kubeconfig", "kube_context", "configmap",
    "no_kube", "color", "debug",
})  # fmt: skip
NAMED_VIEWS = ("vrrp", "vips", "ipvs", "mappings")
"""Commands whose rows have names."""
CLUSTER_OPTIONS = NODE_OPTIONS | {"hosts"}
ACTION_OPTIONS = CLUSTER_OPTIONS | {"dry_run", "yes", "reason"}


@contextmanager
def clear_usage_errors(ctx: Context) -> Iterator[None]:
    try:
        yield
    except MissingParameter as error:
        # names of this node, as a shell would complete them
        found = error.param.shell_complete(ctx, "") if error.param is not None else []
        if values := tuple(item.value for item in found if item.value and not item.value.startswith("-")):
            from kvtui.rules.phrases import listed  # noqa: PLC0415 - only for an error

            error.message = f"This node has {listed(values)}"
        raise
    except BadParameter as error:
        kind = error.param.type if error.param is not None else None
        wrong, mark, _ = error.message.partition(" is not a valid ")
        if mark and isinstance(kind, IntParamType | FloatParamType):
            error.message = f"{wrong} is not {_number(kind)}"
        raise


def refuse_infinite(ctx: Context) -> None:
    """Refuses nan and inf, which Python takes for numbers."""
    for param in ctx.command.get_params(ctx):
        value = ctx.params.get(str(param.name))
        if isinstance(value, float) and not math.isfinite(value):
            raise BadParameter(f"{value} is not a finite number", ctx, param)


def _number(kind: Any) -> str:
    what = "a whole number" if isinstance(kind, IntParamType) else "a number"
    minimum, maximum = getattr(kind, "min", None), getattr(kind, "max", None)
    if minimum is None:
        return what
    return f"{what} from {minimum:g} to {maximum:g}" if maximum is not None else f"{what} of at least {minimum:g}"


class ClearGroup(TyperGroup):
    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        with clear_usage_errors(ctx):
            rest = super().parse_args(ctx, args)
            refuse_infinite(ctx)
        return rest


class NodeCommand(TyperCommand):
    """An option after the command overrides the same option before it."""

    accepted: ClassVar[frozenset[str]] = NODE_OPTIONS

    def global_options(self, ctx: Context) -> list[Parameter]:
        root = ctx.find_root()
        return [] if root is ctx else [p for p in root.command.params if p.name in self.accepted]

    def get_params(self, ctx: Context) -> list[Parameter]:
        return [*super().get_params(ctx), *self.global_options(ctx)]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        with clear_usage_errors(ctx):
            try:
                rest = super().parse_args(ctx, args)
                refuse_infinite(ctx)
            finally:
                self._take_over(ctx)
        return rest

    def _take_over(self, ctx: Context) -> None:
        root = ctx.find_root()
        given: dict[str, Any] = {}
        # an option with a wrong value is not among the parameters
        for name in {str(option.name) for option in self.global_options(ctx)} & ctx.params.keys():
            value, source = ctx.params.pop(name), ctx.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                given[name] = value
                root.set_parameter_source(name, source)
        root.params.update(given)
        if ctx.resilient_parsing:
            return
        if given:
            ctx.obj = ctx.obj.with_options(given)
        if ctx.obj.form.value == "name" and ctx.info_name not in NAMED_VIEWS:
            raise UsageError(f"-o name works with: {', '.join(NAMED_VIEWS)}", ctx)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        own = super().get_params(ctx)
        for title, params, context in (
            ("Arguments", [p for p in own if p.param_type_name == "argument"], ctx),
            ("Options", [p for p in own if p.param_type_name == "option"], ctx),
            ("Global options, also before the command", self.global_options(ctx), ctx.find_root()),
        ):
            if records := list(filter(None, (p.get_help_record(context) for p in params))):
                with formatter.section(title):
                    formatter.write_dl(records)


class ClusterCommand(NodeCommand):
    accepted = CLUSTER_OPTIONS


class ActionCommand(NodeCommand):
    accepted = ACTION_OPTIONS
