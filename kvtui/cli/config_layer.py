"""Values of the config files as click's ``default_map``: an option or an environment variable overrides them.

``--help`` therefore shows the defaults of this node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from kvtui.model.config import SETTINGS, Config, Kind, Setting
from kvtui.model.settings import names
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.cli.invocation import Invocation

LISTENING_COMMANDS = ("status", "vrrp", "vips", "mappings", "trace")
"""Commands whose ``--listen`` defaults to the setting ``listen``."""


class CliContext(Struct, frozen=True):
    run_ui: Callable[[Invocation], None]
    config: Config


class SettingValue(Struct, frozen=True):
    """A setting's effective value; ``origin`` is an option, a variable, a line of a file, or "default"."""

    setting: Setting
    value: Any
    origin: str


def defaults(config: Config) -> dict[str, Any]:
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


def effective_values(config: Config, root: Any) -> Iterator[SettingValue]:
    """Yields every setting; ``root`` is click's context of the global options (Typer exports no type of it)."""
    options = {p.name: max(p.opts, key=len) for p in root.command.params}
    for setting in SETTINGS:
        configured = config.values.get(setting.key)
        value, origin = config.value(setting.key), configured.where if configured else "default"
        if setting.parameter in root.params:
            value = root.params[setting.parameter]
            value = not value if setting.inverse else value
            value = names(str(value or "")) if setting.kind is Kind.NAMES else value
            source = root.get_parameter_source(setting.parameter)
            name = source.name if source else ""
            origin = {"COMMANDLINE": options[setting.parameter], "ENVIRONMENT": setting.variable}.get(name, origin)
        yield SettingValue(setting, value, origin)


def as_toml(value: Any, kind: Kind) -> str:
    if value is None:
        return "-"
    if kind is Kind.FLAG:
        return "true" if value else "false"
    if kind is Kind.NUMBER:
        return f"{value:g}"
    if kind is Kind.NAMES:
        return "[" + ", ".join(f'"{plain(v)}"' for v in value) + "]"
    return f'"{plain(str(value))}"'
