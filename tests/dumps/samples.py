"""Real dumps from `../shared`."""

from __future__ import annotations

import re

from tests.shared import shared_path

SECRET = re.compile(r"s3cret|\*{8}")  # the placeholders for the password in the samples
JSON_SAMPLES = (
    "example-2.1.5-backup.json",
    "example-2.2.7-backup.json",
    "example-2.2.7-master.json",
    "example-2.3.4-jsonv2.json",
    "example-2.4.3.json",
)
DATA_SAMPLES = (
    "example-2.1.5.data",
    "example-2.2.7-backup.data",
    "example-2.2.7-master.data",
    "example-2.3.4.data",
    "example-2.4.3.data",
)


def sample(name: str) -> str:
    return shared_path("keepalived-dumps", name).read_text()
