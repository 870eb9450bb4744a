"""``kvtui check`` beside keepalived: the script sees the same world; new checks are tried before a reload."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab.draining import done, kvtui
from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]

WITH_SHELL = ClusterSpec(root="/")
"""The unpacked roots of other releases have no /bin/sh."""

WORLD = """#!/bin/sh
[ -e /etc/keepalived/fail ] && { echo "haproxy is down"; exit 3; }
{
  id; pwd; env | grep -v ^_= | sort; umask; ulimit -a
  for kind in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$kind; done
  grep -E "^(Cap|NoNewPrivs|Seccomp|Groups)" /proc/self/status
  cat /proc/self/cgroup
  echo "arguments $*"
} > /tmp/world.$$
case $(cat /proc/$PPID/comm) in keepalived*) by=keepalived;; *) by=kvtui;; esac
mv /tmp/world.$$ /tmp/world-$by
"""
SCRIPT = """
vrrp_script chk {{
  script "/etc/keepalived/world.sh one two"
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
    script = node.conf_path.with_name("world.sh")
    script.write_text(WORLD)
    script.chmod(0o755)


def with_script(node: Node, user: str = "") -> str:
    """The script stands behind script_user and before the instance: keepalived 2.2.7 reads from top to bottom."""
    conf = node.spec.conf(node.index).replace("track_interface", "track_script {\n chk\n}\n track_interface", 1)
    return conf.replace("vrrp_instance", SCRIPT.format(user=user) + "vrrp_instance", 1)


def seen_world(node: Node, by: str) -> str:
    """What the newest run of the script saw, started by keepalived or by kvtui."""
    world = node.folder / "tmp" / f"world-{by}"
    text = poll(lambda: world.exists() and world.read_text(), 30, lambda: f"the script ran\n{node.log()[-3000:]}")
    world.unlink()
    return str(text)


def world_of(node: Node, uid: str) -> str:
    """What its newest run as this user saw; one that began before the reload may end after it."""
    return str(poll(lambda: (seen := seen_world(node, "keepalived")).startswith(uid) and seen, 60, f"it runs as {uid}"))


def test_a_script_sees_what_it_sees_when_keepalived_runs_it(make_cluster: MakeCluster, state: Path) -> None:
    node = make_cluster(WITH_SHELL).node("node-a")
    write_script(node)
    (node.folder / "tmp").chmod(0o1777)
    try:
        for user in "", "user nobody nogroup":
            node.reload(with_script(node, user))
            by_keepalived = world_of(node, "uid=65534" if user else "uid=0")
            (node.conf_path.with_name("fail")).touch()  # keepalived's own runs write nothing from now on
            poll(lambda: "haproxy is down" in check_output(node, state), 30, "it fails")
            failing = kvtui(node, state, "check", "chk")
            assert failing.returncode == 1
            assert "vrrp_script chk fails: exit status 3: vips: FAULT" in failing.stderr
            (node.conf_path.with_name("fail")).unlink()
            said = done(node, state, "check", "chk")
            assert "vrrp_script chk passes: exit status 0" in said
            assert f"user: {'nobody (uid 65534' if user else 'root (uid 0'}" in said
            assert seen_world(node, "kvtui") == by_keepalived
    finally:
        node.conf_path.with_name("fail").unlink(missing_ok=True)


def check_output(node: Node, state: Path) -> str:
    return kvtui(node, state, "check", "chk").stderr


def test_new_checks_are_tried_before_the_reload(make_cluster: MakeCluster, state: Path) -> None:
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
    """A real server that answers over TLS, with a certificate that nobody signed: keepalived does not verify it."""
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
"""Seconds: each of two attempts may take ``connect_timeout`` on a starved kernel, and keepalived waits between them."""


@pytest.mark.long
@pytest.mark.debian13
@pytest.mark.lab(timeout=900)
def test_what_keepalived_makes_of_a_script_and_of_tls_is_what_kvtui_says(
    cluster: Cluster, state: Path, tmp_path: Path
) -> None:
    """Each fails, then passes; keepalived itself is the script, since its root has no other program."""
    node = cluster.node("node-a")

    def reload(argument: str, path: str) -> int:
        """Returns where the log ended before: what it said of earlier tests shows nothing."""
        before = len(node.log())
        text = node.spec.conf(node.index).replace("track_interface", "track_script {\n chk\n}\n track_interface", 1)
        script = TRACKED.format(argument=argument)
        node.reload(text.replace("vrrp_instance", f"{script}vrrp_instance", 1) + SECURE.format(path=path))
        return before

    def until_said(before: int, *words: str) -> None:
        def is_said() -> bool:
            lines = node.log()[before:].splitlines()
            return any(all(word in line for word in words) for line in lines)

        poll(is_said, TLS_LIMIT, lambda: f"keepalived says {words}\n{node.log()[before:][-3000:]}")

    with https_server(cluster, tmp_path):
        before = reload("--no-such-option", "/nowhere")
        until_said(before, "Removing service [10.4.0.14]", ":443")
        until_said(before, "Entering FAULT STATE")
        script, secure = kvtui(node, state, "check", "chk"), kvtui(node, state, "check", "10.4.0.14:443")
        assert (script.returncode, secure.returncode) == (1, 1), f"{script.stderr}\n{secure.stderr}"
        assert "vrrp_script chk fails: exit status 1: vips: FAULT" in script.stderr
        assert "SSL_GET of 10.4.0.14:443 in 10.4.0.51:443 fails: " in secure.stderr
        assert "404" in secure.stderr
        before = reload("--version", "/health")
        until_said(before, "Adding service [10.4.0.14]", ":443")
        until_said(before, "Entering BACKUP STATE")
        assert "vrrp_script chk passes: exit status 0" in done(node, state, "check", "chk")
        assert "SSL_GET of 10.4.0.14:443 in 10.4.0.51:443 passes" in done(node, state, "check", "10.4.0.14:443")
        assert "-r 10.4.0.14:443" in node.ipvs()
