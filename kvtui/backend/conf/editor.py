"""Changes one number in a keepalived.conf and not one byte else."""

from __future__ import annotations

import re

from kvtui.backend.conf.tree import Block, Statement, StatementKind, Token, Tree, parse

_NUMBER = re.compile(r"[0-9]{1,3}")


class EditError(ValueError):
    """The text cannot be changed as asked; its message says why and what to do, for an operator."""


class NoSuchInstance(EditError):  # noqa: N818 - named for what is missing
    """The text has no such ``vrrp_instance``."""


class NotLiteral(EditError):  # noqa: N818 - named for what the value is not
    """The instance's priority is not a plain number that counts for every node."""


def set_priority(text: str, instance: str, value: int) -> str:
    """The text with another priority for an instance.

    Of several ``priority`` lines the last counts, and it is the one that changes.

    Args:
        text: a whole file.
        instance: name of a ``vrrp_instance``.
        value: 1 to 255.

    Raises:
        ValueError: ``value`` is out of range.
        NoSuchInstance: the file has no such instance.
        NotLiteral: its priority comes from ``@``, ``$`` or ``~``, is not a number, or is not in this file.
        EditError: the file's braces or quotes do not balance.
    """
    if not 1 <= value <= 255:
        raise ValueError(f"Priority {value} is not between 1 and 255")
    word = _priority_word(parse(text), instance)
    return text[: word.offset] + str(value) + text[word.offset + len(word.text) :]


def _priority_word(tree: Tree, instance: str) -> Token:
    """The number to change."""
    if tree.problems:
        problem = tree.problems[0]
        raise EditError(f"Line {problem.at.line}: {problem.message}. Mend the file first: keepalived may die of it")
    block = _instance(tree, instance)
    statements = [child for child in block.children if isinstance(child, Statement)]
    priorities = [s for s in statements if s.keyword == "priority"]
    for statement in priorities:
        if statement.condition is not None:
            raise _not_literal(instance, f"an '{statement.condition}' line gives it", statement)
    if any(s.kind in (StatementKind.SEQUENCE, StatementKind.INCLUDE) or _is_macro(s) for s in statements):
        # such a line may bring another priority, and the last one counts
        raise NotLiteral(
            f"The block of vrrp_instance {instance} has an include, a macro or a ~SEQ line, which may set the "
            "priority: edit the file by hand"
        )
    if not priorities:
        raise NotLiteral(f"vrrp_instance {instance} has no priority line: keepalived takes 100. Add one by hand")
    words = priorities[-1].words
    if len(words) < 2 or not _NUMBER.fullmatch(words[1].text):
        raise _not_literal(instance, "it is no plain number", priorities[-1])
    return words[1]


def _instance(tree: Tree, name: str) -> Block:
    """The block of an instance: the first of that name, as keepalived skips later ones."""
    if tree.conditional_braces:
        raise NotLiteral("'@' lines open or close blocks in this file: edit it by hand")
    for node in tree.nodes:
        if isinstance(node, Block) and [w.value for w in node.words] == ["vrrp_instance", name]:
            if node.header is not None and node.header.condition is not None:
                raise _not_literal(name, f"an '{node.header.condition}' line starts its block", node.header)
            return node
    raise NoSuchInstance(f"This file has no vrrp_instance {name}: it may be in a file that it includes")


def _is_macro(statement: Statement) -> bool:
    return statement.kind is StatementKind.DEFINITION or statement.keyword.startswith("$")


def _not_literal(instance: str, reason: str, statement: Statement) -> NotLiteral:
    line = statement.tokens[0].line
    return NotLiteral(f"The priority of vrrp_instance {instance} cannot be changed: {reason} (line {line})")
