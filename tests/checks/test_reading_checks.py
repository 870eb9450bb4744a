"""Scripts and health checks in the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.trial import new_checks
from kvtui.cli.completion.values import NodeNames, completions, find_checks
from kvtui.model.check import Check, CheckResult, Url
from tests.conf.reading import instance, read_conf

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
vrrp_script chk {
  script "/usr/bin/killall -0 haproxy"
  interval 2
  fall 3
  user nobody nogroup
}
vrrp_script words {
  script /bin/sh -c "exit 1"
  timeout 4
  weight -10
}
virtual_server 10.4.0.50 80 {
  delay_loop 7
  retry 2
  protocol TCP
  real_server 10.9.0.101 81 {
    inhibit_on_failure
    MISC_CHECK {
      misc_path "/etc/check.sh 1"
      misc_dynamic
    }
    HTTP_GET {
      url {
        path /healthz
        status_code 200-204 301
      }
      connect_port 8080
      connect_timeout 2
      retry 0
    }
  }
  real_server fd00::5 81 {
    TCP_CHECK {
      connect_ip 10.0.0.1
    }
  }
}
"""


def test_each_check_has_the_program_that_keepalived_would_run(tmp_path: Path) -> None:
    tracked = instance("track_script {\n chk\n words weight -20\n}")
    chk, words, misc, http, tcp = read_conf(tmp_path, TEXT + tracked).checks  # a script is defined before its use
    assert (chk.argv, chk.timeout, chk.tries, chk.user) == (
        ("/usr/bin/killall", "-0", "haproxy"),
        2.0,
        3,
        "nobody nogroup",
    )
    assert chk.consequence.endswith(": FAULT")
    assert (words.argv, words.timeout) == (("/bin/sh", "-c", "exit 1"), 4.0)
    assert words.consequence.endswith(": priority -20")
    assert (misc.kind, misc.name, misc.service) == ("MISC_CHECK", "10.9.0.101:81", "10.4.0.50:80")
    assert (misc.argv, misc.timeout, misc.dynamic, misc.tries) == (("/etc/check.sh", "1"), 7.0, True, 3)
    assert misc.consequence == "sets weight 0 for"
    assert (http.address, http.port, http.timeout, http.tries) == ("10.9.0.101", 8080, 2.0, 1)
    assert http.urls == (Url("/healthz", statuses=((200, 204), (301, 301))),)
    assert (tcp.name, tcp.address, tcp.port, tcp.consequence) == ("[fd00::5]:81", "10.0.0.1", 81, "removes")


def test_only_new_and_changed_checks_are_new(tmp_path: Path) -> None:
    old = read_conf(tmp_path, instance("") + TEXT)
    moved = read_conf(tmp_path, instance("") + "# a line more\n" + TEXT)
    assert new_checks(old, moved) == ()
    changed = read_conf(tmp_path, instance("") + TEXT.replace("connect_port 8080", "connect_port 8081"))
    assert [c.kind for c in new_checks(old, changed)] == ["HTTP_GET"]
    assert new_checks(None, changed) == ()


def test_the_shell_completes_scripts_and_real_servers() -> None:
    found = dict(completions(find_checks, NodeNames(demo=True)))
    assert found["10.4.0.61:443"] == "TCP_CHECK in 10.4.0.51:443"


def test_the_sentence_has_the_consequence() -> None:
    tcp = Check("TCP_CHECK", "10.9.0.101:81", "10.4.0.50:80", consequence="removes", tries=3)
    assert CheckResult(tcp, passed=False, detail="connection refused").sentence == (
        "TCP_CHECK of 10.9.0.101:81 in 10.4.0.50:80 fails: connection refused: keepalived removes 10.9.0.101:81 "
        "after 3 failures in a row"
    )
    assert CheckResult(tcp, None, "run kvtui as root").sentence.endswith("could not be tried: run kvtui as root")
