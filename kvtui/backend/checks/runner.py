"""One check of a keepalived: what it would run as, what keeps it from running, and its run."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.checks.identity import Identity, UnknownUserError, identity_of
from kvtui.backend.checks.network import KINDS, run_network_check
from kvtui.backend.checks.program import Program, find_program
from kvtui.backend.checks.script import run_script
from kvtui.backend.conf.copies import saved_secrets
from kvtui.model.check import Check, CheckResult
from kvtui.model.keepalived import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kvtui.model.keepalived import Keepalived

SECURITY = "enable_script_security"
EXEC = "keepalived cannot execute it, and takes that for success (measured with 2.3.3)"


class Prospect(Struct, frozen=True):
    """What a run would be."""

    check: Check
    identity: Identity | None = None
    program: Program | None = None
    problems: tuple[str, ...] = ()  # why keepalived disables it
    refused: str = ""  # why kvtui does not run it; it may work in keepalived
    unsafe: str = ""  # what the run would lack of keepalived's confinement
    differences: tuple[str, ...] = ()  # from a run by hand


def prospect_of(keepalived: Keepalived, check: Check, settings: Mapping[str, str]) -> Prospect:
    """Reads all that decides how a check runs; blocking, and starts nothing. ``settings`` are of ``global_defs``."""
    if not check.is_script:
        return Prospect(check, refused="" if check.kind in KINDS else f"kvtui does not try a {check.kind}")
    try:
        identity = identity_of(keepalived, check, settings.get("script_user"))
        program = find_program(check, identity, parse_version(keepalived.version or ""))
    except UnknownUserError as why:
        return Prospect(check, problems=(str(why),))
    except OSError as error:
        refused = f"kvtui cannot read keepalived {keepalived.pid}: {error.strerror or error}: run kvtui as root"
        return Prospect(check, refused=refused)
    problems = program.problems
    if program.insecure and SECURITY in settings:
        problems = (*problems, f"{SECURITY} refuses it: users other than root may change {program.insecure}")
    refused = ""
    if program.interpreter:
        refused = (
            f"{program.path} needs {program.interpreter}, which does not exist in keepalived's mount namespace: {EXEC}"
        )
    elif identity.rights.own_users:
        refused = "keepalived runs in its own user namespace, and kvtui runs no scripts there"
    elif os.geteuid() != 0 and (identity.rights.spaces or identity.uid != os.geteuid()):
        refused = f"it runs as {identity.user} in keepalived's namespaces: run kvtui as root"
    unsafe = ""
    if identity.rights.filtered:
        unsafe = f"keepalived runs it under {identity.rights.filtered}, which kvtui cannot apply to this run"
    return Prospect(check, identity, program, problems, refused, unsafe, tuple(_differences(check, identity)))


def _differences(check: Check, identity: Identity) -> Iterator[str]:
    """Yields what a run from this shell would have instead."""
    who = f"{identity.user} (uid {identity.uid}, gid {identity.gid})"
    yield f"user: {who}; by hand uid {os.getuid()}, gid {os.getgid()}"
    mine = os.environ.get("PATH", "")
    if identity.path != mine:
        yield f"PATH: {identity.path or 'none'}; by hand {mine or 'none'}"
    lacks = sorted(os.environ.keys() - identity.env.keys())
    if lacks:
        more = f" and {len(lacks) - 6} more" if len(lacks) > 6 else ""
        yield f"environment: keepalived's, without {', '.join(lacks[:6])}{more}"
    here = os.getcwd()  # noqa: PTH109 - text
    if identity.cwd != here:
        yield f"working directory: {identity.cwd}; by hand {here}"
    if identity.rights.spaces:
        yield f"namespaces: keepalived's {', '.join(identity.rights.spaces)}"
    if identity.rights.cgroups:
        yield f"cgroup: {', '.join(c.removesuffix('/cgroup.procs') for c in identity.rights.cgroups)}"
    if identity.rights.out_of_reach:
        yield f"cgroup: kvtui's own (it cannot join keepalived's {', '.join(identity.rights.out_of_reach)})"
    yield f"time limit: {check.timeout:g} s, then keepalived kills it; by hand none"
    yield "input and output: /dev/null (here the output is read and shown)"


async def run_check(keepalived: Keepalived, prospect: Prospect) -> CheckResult:
    """Runs a check once, unless keepalived disables it."""
    check = prospect.check
    if prospect.refused:
        return CheckResult(check, None, prospect.refused)
    if prospect.problems:
        return CheckResult(check, passed=False, detail="; ".join(prospect.problems), disabled=True)
    if prospect.identity is None or prospect.program is None or prospect.program.path is None:
        return await run_network_check(check, keepalived.pid)
    known = await asyncio.to_thread(saved_secrets, keepalived)
    return await run_script(check, prospect.program.path, prospect.identity, known)
