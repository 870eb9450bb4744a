"""Compares kvtui's reading of configs with keepalived's own dumps, field by field, on three versions.

The configs are real ones of other projects (`../shared/confs`, if that folder exists) and generated ones
(tests/conf/generate.py). `KNOWN` lists the accepted differences with their reasons.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kvtui.backend.conf.reader import read
from kvtui.model.conf import ProblemKind
from tests.conf.generate import configs
from tests.conf.meaning import differences, of_conf, of_dump, of_json
from tests.conf.written import WRITTEN
from tests.lab.config_dump import CONFIG_ID, Dumped, dumps
from tests.shared import SHARED

if TYPE_CHECKING:
    from kvtui.model.conf import Conf

LAB = Path(__file__).parents[2] / ".lab"
ROOTS = {"2.1.5": str(LAB / "keepalived-2.1.5"), "2.2.7": "/", "2.3.3": str(LAB / "keepalived-2.3.3")}
FOLDER = Path("/run/configs")
TOO_LARGE = {"pqa-1173"}
"""Has 30,000 real servers with random values, which would keep the lab's one CPU busy."""
Configs = list[tuple[str, dict[str, str]]]


class Known(NamedTuple):
    """An accepted difference: patterns of the version, the config's text and the field's path, and the reason."""

    version: str
    text: str
    path: str
    why: str


KNOWN = (
    Known(".*", r"\$\{_RANDOM", r".*(: kvtui None, |/vips: )", "only keepalived knows the number"),
    Known("2.1.5", r"vrrp_sync_group", r".*/(state|tracks)", "it removes a sync group of one member"),
    Known("2.1.5", r"vrrp_sync_group|\b255\b", r".*/tracks", "where weights do not count, it tracks nothing at all"),
    Known("2.1.5", r"advert_int 12x", r".*/advert_int", "it takes the number before other characters"),
    Known(".*", r'"[{}]"', r"/instances", "the parent counts a quoted brace in a block, and starts no VRRP process"),
)
OLDER_SYNTAX = {
    "2.1.5": (
        ("aVeryLongLabel:12345", "eth0:1"),  # it truncates a long label; later versions skip the address
        ("\\#", "#"),  # its children read the file itself; later versions read a copy without the backslash
    )
}
"""Text that an old version reads unlike the later ones, which kvtui follows: replaced in its configs."""
UNRELATED_EXITS = re.compile(
    "Non-existent interface specified"  # the sandbox lacks an interface of the config
    "|died: Respawning"  # keepalived crashed (2.2.7 reads memory that it has freed: checks of a skipped real server)
)
"""Reasons for which keepalived exits on some configs although they are valid."""
WITHOUT_DUMP = {("2.3.3", "up-SMTP_CHECK")}
"""That version's checker never writes a dump of that config (in every run)."""
DISABLED = re.compile(r"Disabling track script (\S+)")
"""Names a script whose program this machine lacks, such as killall."""


def shared_configs() -> Configs:
    """Returns the real configs; none without the folder `../shared`."""
    paths = sorted(p for p in (SHARED / "confs").glob("*.conf") if p.stem not in TOO_LARGE)
    return [(p.stem, {"keepalived.conf": p.read_bytes().decode("utf-8", "surrogateescape")}) for p in paths]


def mismatches(version: str, name: str, text: str, conf: Conf, dumped: Dumped) -> list[str]:
    """Returns the differences between kvtui and keepalived."""
    exits = [p.message for p in conf.problems if "exits on it" in p.message and "keepalived 2.2" not in p.message]
    fatal = exits or [p.message for p in conf.problems if p.kind is ProblemKind.SYNTAX]
    if dumped.ended:
        explained = bool(fatal) or UNRELATED_EXITS.search(dumped.log) is not None or "2.2 exits" in str(conf.problems)
        return [] if explained else [f"{name}: keepalived ends, and kvtui does not say why\n{dumped.log[-2000:]}"]
    if dumped.no_dump:
        return [] if (version, name) in WITHOUT_DUMP else [f"{name}: keepalived writes no dump\n{dumped.log[-2000:]}"]
    ours, theirs = of_conf(conf, DISABLED.findall(dumped.log)), of_dump(dumped.vrrp, dumped.checker)
    if "has no configuration to run" in dumped.log:  # the parent skips everything after an open block
        explained = bool(fatal) or not (ours["instances"] or ours["servers"])
        return [] if explained else [f"{name}: keepalived runs nothing, and kvtui does not say why"]
    found = [f"{name}{line}" for line in differences(ours, theirs)]
    for instance, values in (of_json(dumped.json, theirs) if dumped.json else {}).items():
        known = ours["instances"].get(instance, {})
        found += [f"{name}/json/{instance}{line}" for line in differences({k: known.get(k) for k in values}, values)]
    if "Disabling misc script" in dumped.log:  # this machine lacks its program
        found = [line for line in found if "MISC_CHECK" not in line]
    found += [f"{name}/exits: kvtui {message!r}, and keepalived runs" for message in exits]
    known = [k for k in KNOWN if re.fullmatch(k.version, version) and re.search(k.text, text)]
    return [line for line in found if not any(re.match(f"{name}{k.path}", line) for k in known)]


def compare(version: str, chosen: Configs) -> None:
    for old, new in OLDER_SYNTAX.get(version, ()):
        chosen = [(n, {path: text.replace(old, new) for path, text in files.items()}) for n, files in chosen]
    texts = {name: "\n".join(files.values()) for name, files in chosen}
    found: list[str] = []
    count = 0
    for name, run, dumped in dumps(FOLDER / version, ROOTS[version], chosen):
        conf = read(str(run.conf), config_id=CONFIG_ID, now=0)
        found += mismatches(version, name, texts[name], conf, dumped)
        count += 1
    assert count == len(chosen)
    assert not found, "\n".join(found)


def written_configs() -> Configs:
    return [(name, {"keepalived.conf": text}) for name, text in WRITTEN.items()]


@pytest.mark.lab(seconds=40, timeout=600)
def test_some_configs_are_read_as_keepalived_reads_them() -> None:
    compare("2.2.7", [*shared_configs()[::9], *configs(range(12))])


@pytest.mark.long
@pytest.mark.lab(seconds=300, timeout=3000)
@pytest.mark.parametrize("version", ROOTS)
def test_every_config_is_read_as_keepalived_reads_it(version: str) -> None:
    if not Path(ROOTS[version], "usr/sbin/keepalived").exists():
        pytest.fail(f"{ROOTS[version]} is missing: packaging/keepalived-versions makes it.")
    compare(version, [*shared_configs(), *written_configs(), *configs(range(100))])
