"""Commands that take the global options of ``kvtui`` after their name too: one definition, ``main.begin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typer._click.exceptions import UsageError
from typer.core import TyperCommand

from kvtui.cli.usage_errors import clear_usage_errors, refuse_infinite

if TYPE_CHECKING:
    # typer 0.28 keeps its copy of click here; pyproject.toml pins the version
    from typer._click import Context, HelpFormatter, Parameter

NODE_OPTIONS = frozenset({
    "read_only", "pid", "demo", "ascii_only", "interval", "output", "kubeconfig", "kube_context", "configmap",
    "no_kube", "color", "debug",
})  # fmt: skip
NAMED_VIEWS = ("vrrp", "vips", "ipvs", "mappings")
"""Commands whose rows have names."""
CLUSTER_OPTIONS = NODE_OPTIONS | {"hosts"}
ACTION_OPTIONS = CLUSTER_OPTIONS | {"dry_run", "yes", "reason"}


class NodeCommand(TyperCommand):
    """A command that reads a node. An option after the command overrides the same option before it."""

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
        """Moves the global options to the context of kvtui itself."""
        root = ctx.find_root()
        given: dict[str, Any] = {}
        for option in self.global_options(ctx):
            name = str(option.name)
            if name not in ctx.params:  # it has a wrong value
                continue
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
            if records := [record for p in params if (record := p.get_help_record(context))]:
                with formatter.section(title):
                    formatter.write_dl(records)


class ClusterCommand(NodeCommand):
    """A command that reads several nodes."""

    accepted = CLUSTER_OPTIONS


class ActionCommand(NodeCommand):
    """A command that writes, or shows every setting."""

    accepted = ACTION_OPTIONS
