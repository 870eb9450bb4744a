"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from kvtui.cli.output import Format

FormatOption = Annotated[Format | None, typer.Option("-o", "--output", help="text, json or yaml.")]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Again at every change, and every --interval seconds, until Ctrl+C.")
]
ListenOption = Annotated[
    float,
    typer.Option(
        "--listen",
        min=0,
        help="Seconds to wait for adverts, at most: the owner of a VIP is known from the wire. 0: do not wait.",
    ),
]
LISTEN = 1.2
"""Seconds: adverts come once a second by default (``advert_int 1``)."""
