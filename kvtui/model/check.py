"""A health check or script of keepalived's config, and the result of one run of it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

SCRIPT = "vrrp_script"
MISC = "MISC_CHECK"
DEFAULT_DELAY = 60.0
"""Seconds: the ``delay_loop`` of a virtual server that sets none; the time limit of its MISC_CHECKs."""
CONNECT_TIMEOUT = 5.0
"""Seconds: keepalived's default ``connect_timeout``."""


class Url(Struct, frozen=True):
    """One ``url`` of an HTTP_GET or SSL_GET; ``statuses`` are inclusive ranges."""

    path: str = "/"
    digest: str | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    virtualhost: str | None = None
    regex: bool = False


class Check(Struct, frozen=True):
    kind: str  # keyword of its block: `vrrp_script`, `MISC_CHECK`, `TCP_CHECK`, `HTTP_GET`, `SSL_GET`, …
    name: str  # of the script, or address and port of the real server
    service: str = ""  # `VIP:PORT` of the virtual server; empty for a script
    argv: tuple[str, ...] = ()
    user: str | None = None  # None for the one of `global_defs`
    timeout: float = CONNECT_TIMEOUT  # seconds
    dynamic: bool = False  # `misc_dynamic`: an exit status from 2 to 255 passes and sets the weight
    address: str | None = None  # where a network check connects to
    port: int = 0
    urls: tuple[Url, ...] = ()
    virtualhost: str | None = None
    bind: str | None = None  # `bindto`
    tries: int = 1  # failures in a row before keepalived takes it as failed
    consequence: str = ""  # what keepalived does when it fails: `FAULT`, `priority -10`, `removed`, `weight 0`
    at: str = ""  # file, line and column of its block

    @property
    def is_script(self) -> bool:
        return self.kind in {SCRIPT, MISC}

    @property
    def title(self) -> str:
        if self.kind == SCRIPT:
            return f"{SCRIPT} {self.name}"
        return f"{self.kind} of {self.name}" + (f" in {self.service}" if self.service else "")

    @property
    def identity(self) -> Check:
        """The check without its place in the file: two configs have the same one."""
        return replace(self, at="")


class CheckResult(Struct, frozen=True):
    check: Check
    passed: bool | None  # as keepalived judges it; None where it could not be run
    detail: str  # exit status, time, answer or error; a clause without a period
    output: str = ""  # what a script printed, cut and without passwords; keepalived discards it
    seconds: float = 0.0
    exit_code: int | None = None
    disabled: bool = False
    """Keepalived does not run it, and runs as if the config did not have it (``check_script_secure``)."""

    @property
    def sentence(self) -> str:
        if self.passed is None:
            return f"{self.check.title} could not be tried: {self.detail}"
        if self.passed:
            return f"{self.check.title} passes: {self.detail}"
        if self.disabled:
            return f"keepalived disables {self.check.title}, and runs without it: {self.detail}"
        return f"{self.check.title} fails: {self.detail}: {self._consequence}"

    @property
    def _consequence(self) -> str:
        check = self.check
        if check.kind == SCRIPT:
            return check.consequence or "no instance tracks it"
        many = f" after {check.tries} failures in a row" if check.tries > 1 else ""
        return f"keepalived {check.consequence or 'removes'} {check.name}{many}"
