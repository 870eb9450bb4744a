"""Python runs this at the start of a process that has the single file in PYTHONPATH: the one that talks to the API."""

import machine_code  # noqa: F401
