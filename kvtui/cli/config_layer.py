"""The configuration between the command line and its defaults: option, then environment, then file, then default.

Click's own ``default_map`` does it, so ``--help`` shows the defaults that hold on this node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.model.config import SETTINGS, Config, Configured, Kind, Setting
from kvtui.model.record import dataclass
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.cli.invocation import Invocation

LISTENING = ("status", "vrrp", "vips", "mappings", "trace")
"""Commands whose ``--listen`` the setting ``listen`` is the default of."""


@dataclass(frozen=True, slots=True)
class CliContext:
    """What the command line is started with.

    Attributes:
        run_ui: starts the terminal UI.
        config: what the files say.
    """

    run_ui: Callable[[Invocation], None]
    config: Config


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as ``kvtui config show`` tells it.

    Attributes:
        setting: which.
        value: that counts.
        origin: where it comes from, in words.
    """

    setting: Setting
    value: Any
    origin: str


def defaults(config: Config) -> dict[str, Any]:
    """Click's ``default_map`` of what the files say."""
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        configured = config.values.get(setting.key)
        if configured is None or not setting.parameter:
            continue
        value = not configured.value if setting.inverse else configured.value
        if setting.parameter == "listen":
            found |= {command: {"listen": value} for command in LISTENING}
        else:
            found[setting.parameter] = value
    return found


def shown(config: Config, root: Any) -> Iterator[Shown]:
    """Every setting, and where its value comes from.

    Args:
        config: what the files say.
        root: click's context of kvtui itself, whose options were parsed (Typer exports no type of it).
    """
    options = {p.name: max(p.opts, key=len) for p in root.command.params}
    for setting in SETTINGS:
        configured = config.values.get(setting.key)
        value, origin = config.value(setting.key), configured.where if configured else "default"
        if setting.parameter in root.params:
            value = root.params[setting.parameter]
            value = not value if setting.inverse else value
            source = root.get_parameter_source(setting.parameter)
            name = source.name if source else ""
            origin = {"COMMANDLINE": options[setting.parameter], "ENVIRONMENT": setting.variable}.get(name, origin)
        yield Shown(setting, value, origin)


def written(value: Any, kind: Kind) -> str:
    """A value as the file would have it."""
    if value is None:
        return "-"
    if kind is Kind.FLAG:
        return "true" if value else "false"
    if kind is Kind.NUMBER:
        return f"{value:g}"
    if kind is Kind.NAMES:
        return "[" + ", ".join(f'"{plain(v)}"' for v in value) + "]"
    return f'"{plain(str(value))}"'


def key_row(name: str, configured: Configured) -> tuple[str, str, str]:
    """A remapped key as a row: its name in the file, its keys, where they come from."""
    return (plain(f"keys.{name}"), f'"{plain(str(configured.value))}"', plain(configured.where))
