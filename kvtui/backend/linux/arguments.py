"""keepalived's command line, as getopt_long(3) reads it (keepalived(8), OPTIONS)."""

from __future__ import annotations

from msgspec import Struct, field

# Long names and their short ones; a name without one gets its own.
LONG = {
    "use-file": "f",
    "vrrp": "P",
    "check": "C",
    "no_bfd": "B",
    "all": "all",
    "log-console": "l",
    "log-detail": "D",
    "log-facility": "S",
    "log-file": "g",
    "flush-log-file": "flush-log-file",
    "no-syslog": "G",
    "umask": "u",
    "release-vips": "X",
    "dont-release-vrrp": "V",
    "dont-release-ipvs": "I",
    "dont-respawn": "R",
    "dont-fork": "n",
    "dump-conf": "d",
    "pid": "p",
    "vrrp_pid": "r",
    "checkers_pid": "c",
    "bfd_pid": "b",
    "address-monitoring": "a",
    "snmp": "x",
    "snmp-agent-socket": "A",
    "namespace": "s",
    "core-dump": "m",
    "core-dump-pattern": "M",
    "all-config": "e",
    "config-id": "i",
    "signum": "signum",
    "config-test": "t",
    "genhash": "T",
    "version": "v",
    "help": "h",
}
WITH_VALUE = frozenset({*"fSuprcbAsi", "signum"})
WITH_OPTIONAL_VALUE = frozenset("gtM")  # only joined: -tFILE, --config-test=FILE
PID_FILE_OPTIONS = {"keepalived": "p", "vrrp": "r", "checkers": "c", "bfd": "b"}
ONE_SHOT = frozenset({*"tTvh", "signum"})  # with one of these keepalived says something and ends: it is no daemon


class Arguments(Struct, frozen=True):
    conf: str | None = None
    config_id: str | None = None
    net_namespace: str | None = None
    pid_files: dict[str, str] = field(default_factory=dict)
    daemon: bool = True
    vrrp: bool = True
    log_console: bool = False
    log_file: bool = False
    syslog: bool = True


def parse_arguments(argv: tuple[str, ...]) -> Arguments:
    """Reads a command line (its first word is the program); of a repeated option the last one counts."""
    options: dict[str, str] = {}
    words = list(argv[:0:-1])
    while words:
        word = words.pop()
        if word == "--":
            break
        if word.startswith("--"):
            _long(word[2:], words, options)
        elif word.startswith("-"):
            _short(word[1:], words, options)
    return Arguments(
        conf=options.get("f"),
        config_id=options.get("i"),
        net_namespace=options.get("s"),
        pid_files={kind: options[key] for kind, key in PID_FILE_OPTIONS.items() if key in options},
        daemon=not ONE_SHOT & options.keys(),
        vrrp="C" not in options or "P" in options,
        log_console={"l", "n"} <= options.keys(),
        log_file="g" in options,
        syslog="G" not in options,
    )


def _long(word: str, words: list[str], options: dict[str, str]) -> None:
    """``--name``, ``--name=value``, ``--name value``, and unambiguous beginnings of names."""
    name, joined, value = word.partition("=")
    full = [name] if name in LONG else [known for known in LONG if known.startswith(name)]
    key = LONG[full[0]] if len(full) == 1 else name
    if not joined and key in WITH_VALUE:
        value = words.pop() if words else ""
    options[key] = value


def _short(letters: str, words: list[str], options: dict[str, str]) -> None:
    for index, letter in enumerate(letters):
        rest = letters[index + 1 :]
        if letter in WITH_VALUE:
            options[letter] = rest or (words.pop() if words else "")
            return
        if letter in WITH_OPTIONAL_VALUE:
            options[letter] = rest
            return
        options[letter] = ""
