"""Reads ``/etc/kvtui.toml`` and ``~/.config/kvtui/config.toml``; reports invalid entries and uses the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kvtui.backend.linux.files import read_bytes
from kvtui.model.config import BY_KEY, KEYS, Config, Configured
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SYSTEM = "/etc/kvtui.toml"
MAX_FILE_BYTES = 1 << 20

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?")
_ENTRY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w.-])+(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")


def paths(env: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the files, in the order of reading; ``KVTUI_CONFIG`` replaces both."""
    if chosen := env.get("KVTUI_CONFIG"):
        return (chosen,)
    home = env.get("HOME", "")
    base = env.get("XDG_CONFIG_HOME", "")
    # a relative one must be ignored (XDG Base Directory Specification)
    folder = base if base.startswith("/") else f"{home}/.config" if home else ""
    return (SYSTEM, f"{folder}/kvtui/config.toml") if folder else (SYSTEM,)


def read(env: Mapping[str, str]) -> Config:
    values: dict[str, Configured] = {}
    keys: dict[str, Configured] = {}
    problems: list[str] = []
    files: dict[str, bool] = {}
    for path in paths(env):
        try:
            text = read_bytes(path, MAX_FILE_BYTES).decode()
        except FileNotFoundError:
            files[path] = False
            if env.get("KVTUI_CONFIG"):
                problems.append(f"{plain(path)} (KVTUI_CONFIG) does not exist")
            continue
        except (OSError, ValueError) as error:
            files[path] = False
            problems.append(f"{plain(path)} cannot be read and is ignored: {_why(error)}")
            continue
        entries, error_text = parsed(text)
        files[path] = not error_text
        problems += [f"{plain(path)}{error_text}; this file is ignored"] if error_text else []
        lines = located(text) if entries else {}
        for key, value in entries.items():
            at = Configured(None, path, lines.get(key))
            if why := _take(key, value, at, values, keys):
                problems.append(f"{plain(at.where)}: {why}")
    return Config(values, keys, tuple(problems), files)


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def parsed(text: str) -> tuple[dict[str, Any], str]:
    import tomllib  # noqa: PLC0415 - most nodes have no configuration file

    try:
        return dict(_flat(tomllib.loads(text), "")), ""
    except tomllib.TOMLDecodeError as error:
        # str(error) ends in "(at line 3, column 5)"
        match = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error), re.DOTALL)
        return {}, f":{match[2]}: {plain(match[1])}" if match else f": {plain(str(error))}"
    except RecursionError:
        return {}, ": too many nested brackets"


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def located(text: str) -> dict[str, int]:
    """Returns dotted key → line, which tomllib lacks. A line of a multi-line text may look like a key."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.fullmatch(line):
            table = f"{_bare(header[1])}."
        elif entry := _ENTRY.match(line):
            found.setdefault(table + _bare(entry[1]), number)
    return found


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _take(key: str, value: object, at: Configured, values: dict[str, Configured], keys: dict[str, Configured]) -> str:
    """Adds an entry to the settings or the keys; returns why it is invalid, else nothing."""
    table, dot, name = key.partition(".")
    if table == KEYS and dot:
        if not isinstance(value, str) or not value.strip():
            return f'{plain(key)} must be a key in quotes, such as "d" or "ctrl+d"'
        keys[name] = Configured(value, at.file, at.line)
        return ""
    setting = BY_KEY.get(key)
    if setting is None:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        close = get_close_matches(key, BY_KEY, 1)
        hint = f"did you mean {close[0]}?" if close else f"settings are {', '.join(BY_KEY)} and the table [{KEYS}]"
        return f"unknown setting {plain(key, 80)}; {hint}"
    if allowed := setting.refused(value):
        return f"{key} must be {allowed}, not {plain(repr(value), 40)}"
    taken = tuple(value) if isinstance(value, list) else value
    values[key] = Configured(taken, at.file, at.line)  # type: ignore[arg-type]  # `refused` checked it
    return ""
