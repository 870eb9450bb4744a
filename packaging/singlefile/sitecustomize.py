"""Runs at the start of each Python process with the single file in PYTHONPATH: the process that talks to the API."""

import machine_code  # noqa: F401
