"""Installs pip into a virtual environment that `python -m venv --without-pip` made.

    python packaging/install_pip.py .venv/bin/python

Debian has ensurepip in the package python3-venv, which only root can install. This script downloads pip's wheel and
lets it install itself. Like pip, it uses `PIP_INDEX_URL` and `PIP_CERT`, or `index-url` and `cert` from pip.conf.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin

PYPI = "https://pypi.org/simple"
WHEEL = re.compile(r"/pip-(\d+(?:\.\d+)*)-py3-none-any\.whl$")  # no pre-releases
TIMEOUT = 60


class PipError(Exception):
    """The index has no usable wheel."""


class Links(HTMLParser):
    """Collects the usable links of an index page (PEP 503, PEP 592)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Adds the link of an <a>, unless its release was withdrawn."""
        values = dict(attrs)
        if tag == "a" and "data-yanked" not in values and (link := values.get("href")):
            self.found.append(link)


def setting(name: str) -> str | None:
    """Returns one of pip's settings, from its environment variable or its configuration files."""
    if value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"):
        return value
    files = configparser.RawConfigParser(strict=False)
    files.read(["/etc/pip.conf", Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"])
    return files.get("global", name, fallback=None)


def fetch(url: str) -> bytes:
    """Downloads one file."""
    context = ssl.create_default_context(cafile=setting("cert"))
    with urllib.request.urlopen(url, timeout=TIMEOUT, context=context) as answer:  # noqa: S310 - the user's own index
        content: bytes = answer.read()
    return content


def newest_wheel(page_url: str, page: str) -> str:
    """Returns the absolute link, with its hash, of the newest wheel on an index page."""
    parser = Links()
    parser.feed(page)
    versions = {
        tuple(map(int, match[1].split("."))): link
        for link in parser.found
        if (match := WHEEL.search(f"/{urldefrag(link).url}"))
    }
    if not versions:
        raise PipError(f"{page_url} has no wheel of pip")
    return urljoin(page_url, versions[max(versions)])


def install(python: str) -> None:
    """Downloads pip and lets it install itself for that Python."""
    page_url = f"{(setting('index-url') or PYPI).rstrip('/')}/pip/"
    url, fragment = urldefrag(newest_wheel(page_url, fetch(page_url).decode()))
    wheel = fetch(url)
    algorithm, _, digest = fragment.partition("=")
    if algorithm != "sha256" or hashlib.sha256(wheel).hexdigest() != digest:
        raise PipError(f"{url} does not match the SHA-256 of its index")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(url).name)
        file.write_bytes(wheel)
        # the interpreter runs pip from within its wheel
        command = [python, f"{file}/pip", "install", "--quiet", "--no-index", "--no-warn-script-location", str(file)]
        subprocess.run(command, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})


def main() -> int:
    """Runs the command line."""
    try:
        install(sys.argv[1])
    except (PipError, OSError, UnicodeDecodeError, configparser.Error) as error:
        print(f"kvtui: pip could not be downloaded: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except subprocess.CalledProcessError as error:
        print(f"kvtui: pip could not install itself (status {error.returncode}, see above)", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
