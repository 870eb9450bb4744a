"""Changes one number in a keepalived.conf and not one byte else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvtui.backend.conf.tree import Problems, as_written, build

if TYPE_CHECKING:
    from kvtui.backend.conf.tree import Statement

_NUMBER = re.compile(r"[0-9]{1,3}")


class EditError(ValueError):
    """The text cannot be changed as asked; the message says why and what to do."""


class InstanceNotFoundError(EditError):
    """The text has no such ``vrrp_instance``."""


class NotLiteralError(EditError):
    """The instance's priority is not a plain number that holds on every node."""


def set_priority(text: str, instance: str, value: int) -> str:
    """Returns the whole text with another priority for an instance: of several ``priority`` lines the last counts.

    Raises:
        ValueError: ``value`` is out of range.
        EditError: the file has no such instance, its priority comes from ``@``, ``$`` or ``~``, is not a number or not
            in this file, or the file's braces or quotes do not balance.
    """
    if not 1 <= value <= 255:
        raise ValueError(f"Priority {value} is not between 1 and 255")
    line = _priority_line(_instance(_parse(text), instance), instance)
    at, old = line.at(1), line.written(1)
    lines = text.split("\n")
    edited = lines[at.line - 1]
    lines[at.line - 1] = edited[: at.column - 1] + str(value) + edited[at.column - 1 + len(old) :]
    return "\n".join(lines)


def _parse(text: str) -> Statement:
    problems = Problems()
    pieces = list(as_written(text, problems))
    if not problems and any(p.is_brace and p.condition for p in pieces):
        raise NotLiteralError("'@' lines open or close blocks in this file: edit it by hand")
    root = build(pieces, problems)
    if problems:
        first = min(problems, key=lambda p: (p.at.line, p.at.column))
        raise EditError(f"Line {first.at.line}: {first.message}. Fix the file first: keepalived may crash on it")
    return root


def _priority_line(block: Statement, instance: str) -> Statement:
    priorities = list(block.each("priority"))
    for statement in priorities:
        if condition := _condition(statement):
            raise _not_literal(instance, f"it is on an '{condition}' line", statement)
    if any(child.keyword.startswith("$") or (child.piece and child.piece.directive) for child in block.children or ()):
        raise NotLiteralError(
            f"The block of vrrp_instance {instance} has an include, a macro or a ~SEQ line, which may set the "
            "priority: edit the file by hand"
        )
    if not priorities:
        raise NotLiteralError(
            f"vrrp_instance {instance} has no priority line: keepalived uses 100. Add a priority line by hand"
        )
    if not _NUMBER.fullmatch(priorities[-1].written(1)):
        raise _not_literal(instance, "it is not a plain number", priorities[-1])
    return priorities[-1]


def _instance(root: Statement, name: str) -> Statement:
    """Returns the first block of that name: keepalived skips later ones."""
    for block in root.each("vrrp_instance"):
        if block.children is not None and block.words == ["vrrp_instance", name]:
            if condition := _condition(block):
                raise _not_literal(name, f"its block starts on an '{condition}' line", block)
            return block
    raise InstanceNotFoundError(f"This file has no vrrp_instance {name}: it may be in a file that it includes")


def _condition(statement: Statement) -> str | None:
    return statement.piece.condition if statement.piece else None


def _not_literal(instance: str, reason: str, statement: Statement) -> NotLiteralError:
    line = statement.at().line
    return NotLiteralError(f"The priority of vrrp_instance {instance} cannot be changed: {reason} (line {line})")
