"""Starts the single file."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this check needs it
    sys.exit(
        f"kvtui needs Python 3.11 or newer; this is {sys.version.split()[0]}. Name another: python3.11 {sys.argv[0]}"
    )

import machine_code  # noqa: F401 - finds the libraries' machine code in the archive

from kvtui.__main__ import main

main()
