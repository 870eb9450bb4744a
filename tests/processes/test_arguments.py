"""keepalived's command line, in every notation that getopt_long accepts."""

from __future__ import annotations

import pytest

from kvtui.backend.linux.arguments import Arguments, parse_arguments


@pytest.mark.parametrize(
    "words",
    ["-f /x", "-f/x", "--use-file=/x", "--use-file /x", "--use-f /x", "-nlDf /x", "-D -f /y -f /x", "-t/log -f /x"],
)
def test_every_spelling_of_the_config(words: str) -> None:
    assert parse_arguments(("keepalived", *words.split())).conf == "/x"


def test_all_options_that_kvtui_reads() -> None:
    words = "-n -i pod-1 --namespace=blue -p /a -r /b --checkers_pid /c --bfd_pid=/d -g -S 3 -u 0177"
    assert parse_arguments(("keepalived", *words.split())) == Arguments(
        config_id="pod-1",
        net_namespace="blue",
        pid_files={"keepalived": "/a", "vrrp": "/b", "checkers": "/c", "bfd": "/d"},
        log_file=True,
    )


@pytest.mark.parametrize(
    "words", ["-t", "-nt", "--config-test", "-t/log", "-v", "--version", "--signum=JSON", "-h", "-T"]
)
def test_an_option_that_ends_keepalived_is_not_a_daemon(words: str) -> None:
    assert not parse_arguments(("keepalived", *words.split())).daemon


@pytest.mark.parametrize("words", ["", "-n", "-f -t", "-- -t", "-gt", "--log-file=t", "-f"])
def test_other_options_start_a_daemon(words: str) -> None:
    assert parse_arguments(("keepalived", *words.split())).daemon
