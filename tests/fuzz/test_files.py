"""Fuzzed files: configs, dumps, the journal, settings, /proc. No reader raises an unexpected error or hangs."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kvtui.actions.core.journal import Journal
from kvtui.backend import config_file
from kvtui.backend.conf.copies import saved_lines
from kvtui.backend.conf.expand import Expander
from kvtui.backend.conf.reader import conf_of, read
from kvtui.backend.keepalived.dumps.data_text import parse_check_data, parse_vrrp_data
from kvtui.backend.keepalived.dumps.json_dump import parse_json
from kvtui.backend.keepalived.dumps.stats_text import parse_stats
from kvtui.backend.keepalived.dumps.text import IncompleteDumpError
from kvtui.backend.linux import procfs
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.linux.process import list_pids, read_process
from kvtui.backend.linux.procfs import mount_above
from kvtui.rules.observe import observe
from tests.conf.generate import config
from tests.dumps.samples import DATA_SAMPLES, JSON_SAMPLES, sample
from tests.fuzz.packets import damaged
from tests.kit import snapshot

CORPUS = Path(__file__).with_name("corpus")
WORDS = (
    "{",
    "}",
    "\n",
    "include x\n",
    "$A=${A}\n",
    "~SEQ(X,1,9) ${X}\n",
    "@x ",
    "\\\n",
    '"',
    "!",
    "\x00",
    "\udcff",
    "é",
)
CONFS = [(CORPUS / "keepalived.conf").read_text(), *(config(seed)["keepalived.conf"] for seed in range(4))]
DUMPS = [sample(name) for name in (*DATA_SAMPLES, *JSON_SAMPLES)]


@st.composite
def altered(draw: st.DrawFn, texts: list[str]) -> str:
    """Draws a text with pieces removed, doubled or replaced."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 60)))
        text = (
            text[:start]
            + draw(st.sampled_from(WORDS) | st.text(max_size=8) | st.just(text[start:end] * 2))
            + text[end:]
        )
    return text


@settings(max_examples=max(10, settings().max_examples // 5))
@given(altered(CONFS), altered(CONFS))
@example("include keepalived.conf\ninclude more.conf\n" * 50, "include *.conf\n" * 50)
@example("$A=${B}${B}\n$B=${A}${A}\n${A}\n", "")
@example("~SEQ(A,1,9999) ~SEQ(B,1,9999) ~SEQ(C,1,9999) x ${A}${B}${C}\n", "")
@example("vrrp_instance x {\n" * 5000, "")
def test_any_config_is_read(text: str, more: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (("keepalived.conf", text), ("more.conf", more)):
            (folder / file).write_bytes(content.encode("utf-8", "surrogateescape"))
        path = str(folder / "keepalived.conf")
        conf = read(path, now=0.0)
        saved_lines(path)
    expander = Expander("x")
    conf_of(expander, expander.consolidated(text))
    observe(snapshot(conf=conf, running=conf))


@given(altered(DUMPS))
def test_a_dump(text: str) -> None:
    for parse in (parse_json, parse_vrrp_data, parse_check_data, parse_stats):
        with suppress(IncompleteDumpError):
            parse(text)


@given(damaged(st.just((CORPUS / "journal.jsonl").read_bytes())))
def test_a_journal(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name))
        journal.file.write_bytes(data)
        assert len(journal.entries()) + journal.passed_over <= data.count(b"\n") + 1


@given(damaged(st.just((CORPUS / "kvtui.toml").read_bytes())))
def test_settings(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        found = config_file.read({"KVTUI_CONFIG": file.name})
    assert all(problem.isprintable() for problem in found.problems)


STATUS = (CORPUS / "status.txt").read_bytes()
STAT = b" S 1 1 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 12345" + b" 0" * 30
NAMES = st.binary(max_size=15) | st.sampled_from((b") Z 1 (", b"a) S 2 2\n", b"\nNSpid:\t1"))
"""Names of processes. Processes choose their names, command lines and cgroup names; the kernel writes the rest."""
MOUNTS = b"22 1 0:20 /a /etc/x\\040y ro,relatime shared:1 - ext4 /dev/sda1 rw\n"


@given(NAMES, st.binary(max_size=60), damaged(st.just(MOUNTS)))
def test_proc(name: bytes, words: bytes, mounts: bytes) -> None:
    status = STATUS.replace(b"keepalived", name.replace(b"\n", b"\\n"))
    stat = b"796 (" + name + b")" + STAT
    with tempfile.TemporaryDirectory() as proc:
        folder = Path(proc) / "796"
        folder.mkdir()
        for file, data in (
            ("status", status),
            ("stat", stat),
            ("cmdline", words),
            ("environ", words),
            ("cgroup", words),
        ):
            (folder / file).write_bytes(data)
        assert list_pids(proc) == [796]
        found = read_process(796, proc, 1.0)
        assert found is None or (found.parent, found.ns_pids) == (1, (796, 1))
        for read_part in (procfs.start_ticks, procfs.ns_pids, procfs.vitals, procfs.handled_signals, procfs.status):
            read_part(796, proc)
    parse_arguments(tuple(words.decode("utf-8", "replace").split("\0")))
    mount_above(mounts.decode("utf-8", "replace"), "/etc/x y/z")
