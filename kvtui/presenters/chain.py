"""Sentences about a chain, shared by CLI and screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.rules.chain import Mark, first_break

if TYPE_CHECKING:
    from kvtui.model.mapping import Mapping
    from kvtui.rules.chain import Links


def chain_result(links: Links, *, node_only: bool) -> str:
    """Returns the first break, or that no layer is known to be broken.

    Args:
        links: of a chain.
        node_only: kvtui checked only this node, not the cluster.
    """
    broken = first_break(links)
    if broken is not None:
        return f"First break: {broken.layer.words}: {plain(broken.detail)}"
    unknown = ", ".join(link.layer.words for link in links if link.mark is Mark.UNKNOWN)
    if unknown:
        return f"No layer is known to be broken; unknown: {unknown}."
    return "Every layer of this node is ok; the cluster was not checked." if node_only else "Every layer is ok."


def next_steps(links: Links) -> tuple[str, ...]:
    """Returns the remedy of the first break, or else those of the unknown layers."""
    broken = first_break(links)
    remedies = [broken.remedy] if broken else [link.remedy for link in links if link.mark is Mark.UNKNOWN]
    return tuple(plain(remedy) for remedy in dict.fromkeys(remedies) if remedy)


def break_and_notes(links: Links, entry: Mapping) -> str:
    """Returns the first break of a mapping's chain and the mapping's notes, for one table cell."""
    broken = first_break(links)
    return "; ".join([*([f"{broken.layer.words}: {broken.detail}"] if broken else []), *entry.notes])
