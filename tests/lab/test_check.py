"""``kvtui check`` compared with keepalived: a script gets the same environment; new checks run before a reload."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab.draining import kvtui, succeed
from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]

WITH_SHELL = ClusterSpec(root="/")
"""This machine's root: the unpacked roots of other releases have no /bin/sh."""

PRINT_ENVIRONMENT = """#!/bin/sh
[ -e /etc/keepalived/fail ] && { echo "haproxy is down"; exit 3; }
{
  id; pwd; env | grep -v ^_= | sort; umask; ulimit -a
  for kind in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$kind; done
  grep -E "^(Cap|NoNewPrivs|Seccomp|Groups)" /proc/self/status
  cat /proc/self/cgroup
  echo "arguments $*"
} > /tmp/environment.$$
case $(cat /proc/$PPID/comm) in keepalived*) by=keepalived;; *) by=kvtui;; esac
mv /tmp/environment.$$ /tmp/environment-$by
"""
SCRIPT = """
vrrp_script chk {{
  script "/etc/keepalived/environment.sh one two"
  interval 1
  timeout 20
  {user}
}}
"""
BROKEN_SERVER = """
virtual_server 10.4.0.51 81 {
  lvs_method DR
  protocol TCP
  real_server 10.4.0.14 81 {
    TCP_CHECK {
      connect_timeout 1
    }
  }
}
"""


def write_script(node: Node) -> None:
    script = node.conf_path.with_name("environment.sh")
    script.write_text(PRINT_ENVIRONMENT)
    script.chmod(0o755)


def with_script(node: Node, user: str = "") -> str:
    """Puts the script between script_user and the instance: keepalived 2.2.7 reads from top to bottom."""
    conf = node.spec.conf(node.index).replace("track_interface", "track_script {\n chk\n}\n track_interface", 1)
    return conf.replace("vrrp_instance", SCRIPT.format(user=user) + "vrrp_instance", 1)


def seen_environment(node: Node, by: str) -> str:
    """Returns what the script's latest run printed, started by keepalived or by kvtui."""
    environment = node.folder / "tmp" / f"environment-{by}"
    text = poll(
        lambda: environment.exists() and environment.read_text(), 30, lambda: f"the script ran\n{node.log()[-3000:]}"
    )
    environment.unlink()
    return str(text)


def environment_of(node: Node, uid: str) -> str:
    """Waits for a run as this user; a run of before the reload may end after it."""
    return str(
        poll(lambda: (seen := seen_environment(node, "keepalived")).startswith(uid) and seen, 60, f"it runs as {uid}")
    )


def test_a_script_gets_the_same_environment_as_from_keepalived(make_cluster: MakeCluster, state: Path) -> None:
    node = make_cluster(WITH_SHELL).node("node-a")
    write_script(node)
    (node.folder / "tmp").chmod(0o1777)
    try:
        for user in "", "user nobody nogroup":
            node.reload(with_script(node, user))
            by_keepalived = environment_of(node, "uid=65534" if user else "uid=0")
            (node.conf_path.with_name("fail")).touch()  # from now on keepalived's own runs write nothing
            poll(lambda: "haproxy is down" in check_output(node, state), 30, "it fails")
            failing = kvtui(node, state, "check", "chk")
            assert failing.returncode == 1
            assert "vrrp_script chk fails: exit status 3: vips: FAULT" in failing.stderr
            (node.conf_path.with_name("fail")).unlink()
            printed = succeed(node, state, "check", "chk")
            assert "vrrp_script chk passes: exit status 0" in printed
            assert f"user: {'nobody (uid 65534' if user else 'root (uid 0'}" in printed
            assert seen_environment(node, "kvtui") == by_keepalived
    finally:
        node.conf_path.with_name("fail").unlink(missing_ok=True)


def check_output(node: Node, state: Path) -> str:
    return kvtui(node, state, "check", "chk").stderr


def test_new_checks_run_before_the_reload(make_cluster: MakeCluster, state: Path) -> None:
    node = make_cluster(WITH_SHELL).node("node-a")
    write_script(node)
    node.conf_path.with_name("fail").touch()
    try:
        node.write_conf(with_script(node) + BROKEN_SERVER)
        plan = kvtui(node, state, "--dry-run", "reload").stdout
        assert "WARNING: vrrp_script chk fails: exit status 3: vips: FAULT" in plan, plan
        assert "WARNING: TCP_CHECK of 10.4.0.14:81 in 10.4.0.51:81 fails: 10.4.0.14:81: " in plan
        assert "keepalived removes 10.4.0.14:81" in plan
        untried = kvtui(node, state, "--dry-run", "reload", "--no-try").stdout
        assert "chk fails: exit status" not in untried
        assert "10.4.0.14:81 in 10.4.0.51:81 fails" not in untried
        early = kvtui(node, state, "--dry-run", "check", "chk")
        assert "only the file has it" in early.stdout
        document = json.loads(kvtui(node, state, "-o", "json", "check", "10.4.0.14:80").stdout)
        assert document
        assert "10.4.0.14:80: connected" in kvtui(node, state, "check", "10.4.0.14:80").stderr
    finally:
        node.conf_path.with_name("fail").unlink()


SERVER = """
import http.server, ssl, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *_words):
        pass
server = http.server.HTTPServer(("10.4.0.14", 443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""
TRACKED = """
vrrp_script chk {{
  script "/usr/sbin/keepalived {argument}"
  interval 1
  timeout 20
}}
"""
SECURE = """
virtual_server 10.4.0.51 443 {{
  delay_loop 1
  lvs_method DR
  protocol TCP
  real_server 10.4.0.14 443 {{
    SSL_GET {{
      url {{
        path {path}
        status_code 200
      }}
      connect_timeout 20
      retry 1
      delay_before_retry 1
    }}
  }}
}}
"""


@contextmanager
def https_server(cluster: Cluster, folder: Path) -> Iterator[None]:
    """Runs a real server with TLS and a self-signed certificate, which keepalived does not verify."""
    pem = folder / "both.pem"
    subject = ["-subj", "/CN=rs-4", "-keyout", str(pem), "-out", str(folder / "crt")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *subject],
        check=True,
        capture_output=True,
    )
    with pem.open("a") as file:
        file.write((folder / "crt").read_text())
    argv = ["ip", "netns", "exec", cluster.network.servers[3], sys.executable, "-I", "-S", "-c", SERVER, str(pem)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            server.kill()


TLS_LIMIT = 240
"""Seconds: on a starved kernel each of two attempts may take ``connect_timeout``, with keepalived's pause between."""


@pytest.mark.long
@pytest.mark.debian13
@pytest.mark.lab(timeout=900)
def test_kvtui_and_keepalived_agree_on_a_script_and_on_a_tls_check(
    cluster: Cluster, state: Path, tmp_path: Path
) -> None:
    """Both fail, then pass. keepalived itself is the script: its root has no other program."""
    node = cluster.node("node-a")

    def reload(argument: str, path: str) -> int:
        """Returns the log's length before the reload: lines of earlier tests do not count."""
        before = len(node.log())
        text = node.spec.conf(node.index).replace("track_interface", "track_script {\n chk\n}\n track_interface", 1)
        script = TRACKED.format(argument=argument)
        node.reload(text.replace("vrrp_instance", f"{script}vrrp_instance", 1) + SECURE.format(path=path))
        return before

    def wait_for_log(before: int, *words: str) -> None:
        def is_logged() -> bool:
            lines = node.log()[before:].splitlines()
            return any(all(word in line for word in words) for line in lines)

        poll(is_logged, TLS_LIMIT, lambda: f"keepalived logs {words}\n{node.log()[before:][-3000:]}")

    with https_server(cluster, tmp_path):
        before = reload("--no-such-option", "/nowhere")
        wait_for_log(before, "Removing service [10.4.0.14]", ":443")
        wait_for_log(before, "Entering FAULT STATE")
        script, secure = kvtui(node, state, "check", "chk"), kvtui(node, state, "check", "10.4.0.14:443")
        assert (script.returncode, secure.returncode) == (1, 1), f"{script.stderr}\n{secure.stderr}"
        assert "vrrp_script chk fails: exit status 1: vips: FAULT" in script.stderr
        assert "SSL_GET of 10.4.0.14:443 in 10.4.0.51:443 fails: " in secure.stderr
        assert "404" in secure.stderr
        before = reload("--version", "/health")
        wait_for_log(before, "Adding service [10.4.0.14]", ":443")
        wait_for_log(before, "Entering BACKUP STATE")
        assert "vrrp_script chk passes: exit status 0" in succeed(node, state, "check", "chk")
        assert "SSL_GET of 10.4.0.14:443 in 10.4.0.51:443 passes" in succeed(node, state, "check", "10.4.0.14:443")
        assert "-r 10.4.0.14:443" in node.ipvs()
