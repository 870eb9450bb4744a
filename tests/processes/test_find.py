"""Finding every keepalived on a machine, from outside its namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.backend.linux.processes import choose, find, root_of
from kvtui.model.keepalived import Children, Controller, KeepalivedNotFoundError, PidFile
from tests.processes.machine import (
    BOOTED,
    CHECKER_SIGNALS,
    HOST_NET,
    POD_MNT,
    POD_NET,
    POD_PID,
    Machine,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_no_keepalived_runs(machine: Machine) -> None:
    assert find(machine.proc) == ()


def test_a_pod_with_hostnetwork_is_described_from_its_node(machine: Machine) -> None:
    root = machine.pod()
    for name, number in {"keepalived": 1, "checkers": 7, "vrrp": 8}.items():
        (root / "run" / f"{name}.pid").write_text(f"{number}\n")
    (k,) = find(machine.proc)
    assert (k.pid, k.ns_pid, k.conf, k.root) == (
        796,
        1,
        "/etc/keepalived/keepalived.conf",
        f"{machine.proc}/796/root",
    )
    assert k.children == Children(vrrp=804, checker=803)
    assert k.pid_files == (
        PidFile("/run/keepalived.pid", 1, stale=False),
        PidFile("/run/vrrp.pid", 8, stale=False),
        PidFile("/run/checkers.pid", 7, stale=False),
    )
    assert (k.netns, k.mntns, k.own_netns, k.dumps_json, k.tmpdir) == (HOST_NET, POD_MNT, True, True, "/tmp")
    assert k.started == BOOTED + 1_000_000


def test_one_keepalived_is_described_as_in_the_whole_list(machine: Machine) -> None:
    machine.pod()
    machine.pod(parent=1796)
    one, other = find(machine.proc)
    assert find(machine.proc, only=one.pid) == (one,)
    assert find(machine.proc, only=other.pid) == (other,)
    assert find(machine.proc, only=804) == ()  # a child is not a keepalived parent
    assert [root_of(pid, machine.proc) for pid in (one.pid, other.pid, 4711)] == [one.root, other.root, None]


def test_children_are_identified_by_their_signal_masks_without_pid_files(machine: Machine) -> None:
    machine.pod()
    assert find(machine.proc)[0].children == Children(vrrp=804, checker=803)


def test_stale_pid_files_are_named_and_not_used(machine: Machine) -> None:
    root = machine.pod()
    for name, number in {"keepalived": 4711, "checkers": 8150, "vrrp": 99}.items():
        (root / "run" / f"{name}.pid").write_text(f"{number}\n")
    (k,) = find(machine.proc)
    assert [(f.path, f.stale) for f in k.pid_files] == [
        ("/run/keepalived.pid", True),
        ("/run/vrrp.pid", True),
        ("/run/checkers.pid", True),
    ]
    assert k.children == Children(vrrp=804, checker=803)


def test_a_garbled_pid_file_has_no_number(machine: Machine) -> None:
    root = machine.pod()
    (root / "run" / "keepalived.pid").write_text("soon\n")
    assert find(machine.proc)[0].pid_files == (PidFile("/run/keepalived.pid", None, stale=True),)


def test_links_in_the_pod_are_resolved_in_the_pod(machine: Machine, tmp_path: Path) -> None:
    root = machine.pod()
    (root / "var").mkdir()
    (root / "var" / "run").symlink_to("/run")
    (root / "run" / "kv.pid").write_text("1\n")
    (root / "etc").symlink_to(tmp_path / "nowhere")
    machine.process(
        900,
        argv=("keepalived", "-n", "-p", "/var/run/kv.pid"),
        ns_pids=(900, 1),
        mnt=POD_MNT + 5,
        pid_ns=POD_PID + 5,
        root=root,
    )
    found = {k.pid: k for k in find(machine.proc)}
    assert found[900].pid_files == (PidFile("/var/run/kv.pid", 1, stale=False),)


def test_an_instance_name_shows_in_the_pid_files(machine: Machine) -> None:
    root = machine.pod()
    (root / "run" / "keepalived").mkdir()
    (root / "run" / "keepalived" / "keepalived_bar.pid").write_text("1\n")
    (root / "run" / "keepalived" / "vrrp_bar.pid").write_text("8\n")
    (root / "run" / "keepalived" / "checkers_other.pid").write_text("70\n")
    (k,) = find(machine.proc)
    assert (k.instance_name, k.config_id) == ("bar", None)  # `@` lines are selected by `-i`, not by `instance`
    assert [f.path for f in k.pid_files] == ["/run/keepalived/keepalived_bar.pid", "/run/keepalived/vrrp_bar.pid"]


def test_two_keepalived_on_one_host_do_not_own_each_others_pid_files(machine: Machine) -> None:
    (machine.root / "run").mkdir()
    (machine.root / "run" / "keepalived.pid").write_text("700\n")
    machine.process(700, root=machine.root, mnt=POD_MNT)
    machine.process(710, root=machine.root, mnt=POD_MNT, argv=("keepalived", "-p", "/run/second.pid"))
    first, second = find(machine.proc)
    assert first.pid_files == (PidFile("/run/keepalived.pid", 700, stale=False),)
    assert second.pid_files == ()


def test_children_are_identified_by_their_process_names(machine: Machine) -> None:
    machine.process(700)
    for pid, comm in ((701, "keepalived_bfd"), (702, "keepalived_ipvs"), (703, "keepalived_vrrp")):
        machine.process(pid, parent=700, comm=comm)
    assert find(machine.proc)[0].children == Children(vrrp=703, checker=702, bfd=701)


def test_a_bfd_child_is_identified_by_its_socket(machine: Machine) -> None:
    machine.process(700)
    machine.process(701, parent=700, blocked=CHECKER_SIGNALS)
    machine.process(702, parent=700, blocked=CHECKER_SIGNALS)
    (machine.folder / "701" / "fd" / "9").symlink_to("socket:[382852]")
    anywhere = 32 * "0"
    row = f"3042: {anywhere}:0EC8 {anywhere}:0000 07 0:0 00:0 0 0 0 382852 2 0 0"
    for pid in (701, 702):  # both have the same table
        (machine.folder / str(pid) / "net" / "udp6").write_text(f"  sl  local_address\n{row}\n")
    assert find(machine.proc)[0].children == Children(checker=702, bfd=701)


def test_zombies_config_tests_and_exporters_are_not_keepalived(machine: Machine) -> None:
    machine.process(700, state="Z", exe=None)
    machine.process(701, argv=("keepalived", "-t", "-f", "/tmp/x"))
    machine.process(702, argv=("keepalived", "--config-test=/tmp/log"))
    machine.process(703, comm="keepalived-expo", argv=("/keepalived-exporter",), exe="/keepalived-exporter")
    assert find(machine.proc) == ()


def test_a_config_test_under_a_running_keepalived_is_not_a_child(machine: Machine) -> None:
    machine.process(700)
    machine.process(701, parent=700, argv=("keepalived", "-nt"))
    assert find(machine.proc)[0].children == Children()


def test_without_the_right_to_read_exe_the_command_line_decides(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.process(700, exe=None)
    machine.process(701, exe=None, comm="bash", argv=("bash", "keepalived"))
    monkeypatch.setattr("kvtui.backend.linux.procfs.program", lambda pid, _proc: None if pid in {700, 701} else "")
    assert [k.pid for k in find(machine.proc)] == [700]


def test_a_replaced_program_is_still_keepalived_and_its_version_unknown(machine: Machine) -> None:
    machine.process(700, exe="/usr/sbin/keepalived (deleted)")
    (k,) = find(machine.proc)
    assert (k.pid, k.version) == (700, None)


def test_the_version_is_read_from_the_program(machine: Machine, tmp_path: Path) -> None:
    program = tmp_path / "keepalived"
    program.write_bytes(b"\x7fELF" + bytes(5000) + b"Keepalived v2.2.7 (01/16,2022)\0" + bytes(5000))
    machine.process(700, exe=str(program))
    assert find(machine.proc)[0].version == "2.2.7"
    program.write_bytes(b"\x7fELF\0Keepalived v2.4.3 (09/01,2026)\0")
    assert find(machine.proc)[0].version == "2.4.3"


def test_the_signal_mask_shows_a_build_without_json(machine: Machine) -> None:
    machine.process(700, blocked=0x0000000000014A03)
    assert find(machine.proc)[0].dumps_json is False


def test_tmpdir_is_used_when_absolute(machine: Machine) -> None:
    machine.process(700, environ={"TMPDIR": "/var/tmp/kv", "auth": "s3cret"})
    machine.process(701, environ={"TMPDIR": "relative"})
    found = {k.pid: k for k in find(machine.proc)}
    assert (found[700].tmpdir, found[701].tmpdir) == ("/var/tmp/kv", "/tmp")
    assert "s3cret" not in repr(found)


def test_the_config_path_of_the_upstream_image_is_the_fallback(machine: Machine) -> None:
    root = machine.pod()
    (root / "usr/local/etc/keepalived").mkdir(parents=True)
    (root / "usr/local/etc/keepalived/keepalived.conf").touch()
    assert find(machine.proc)[0].conf == "/usr/local/etc/keepalived/keepalived.conf"


def test_a_relative_config_is_relative_to_the_working_directory(machine: Machine) -> None:
    machine.process(700, argv=("keepalived", "-nf", "kv.conf"))
    (machine.folder / "700" / "cwd").symlink_to("/run/k0s")
    assert find(machine.proc)[0].conf == "/run/k0s/kv.conf"


def test_a_keepalived_in_our_mount_namespace_has_no_root(machine: Machine) -> None:
    machine.process(700)
    (k,) = find(machine.proc)
    assert (k.root, k.outside("/etc/x")) == ("", "/etc/x")


@pytest.mark.parametrize(
    ("cgroup", "conf", "root"),
    [
        ("0::/system.slice/keepalived.service\n", True, ""),
        ("0::/system.slice/keepalived.service\n", False, "{proc}/700/root"),
        ("0::/kubepods.slice/x\n", True, "{proc}/700/root"),
        ("0::/../5d3c1f\n", True, "{proc}/700/root"),
    ],
)
def test_unreadable_namespaces_are_inferred_from_the_cgroup_and_the_config(
    machine: Machine, tmp_path: Path, cgroup: str, conf: bool, root: str
) -> None:
    path = tmp_path / "kv.conf"
    if conf:
        path.touch()
    machine.process(700, argv=("keepalived", "-f", str(path)))
    (machine.folder / "700" / "ns" / "mnt").unlink()
    (machine.folder / "700" / "ns" / "net").unlink()
    (machine.folder / "700" / "cgroup").write_text(cgroup)
    (k,) = find(machine.proc)
    assert (k.root, k.mntns, k.own_netns) == (root.format(proc=machine.proc), None, None)


def test_the_controller_is_the_ancestor_with_the_configmap(machine: Machine) -> None:
    argv = (
        "/kube-keepalived-vip",
        "--services-configmap=default/vip-configmap",
        "--use-unicast",
        "--vrid",
        "51",
        "--iface=ens3",
        "--http-port=8080",
    )
    env = {
        "POD_NAME": "kube-keepalived-vip-x7",
        "POD_NAMESPACE": "kube-system",
        "KEEPALIVED_NOTIFY": "/notify.sh",
        "TOKEN": "s3cret",
    }
    machine.process(600, comm="kube-keepalived", argv=argv, exe="/kube-keepalived-vip", environ=env)
    machine.process(610, parent=600, comm="sh", argv=("sh",), exe="/bin/dash")
    machine.pod(controller=610)
    (k,) = find(machine.proc)
    assert k.controller == Controller(
        pid=600,
        name="kube-keepalived-vip",
        argv=argv,
        configmap="default/vip-configmap",
        vrid=51,
        interface="ens3",
        http_port=8080,
        pod="kube-system/kube-keepalived-vip-x7",
        notify="/notify.sh",
    )
    assert "s3cret" not in repr(k)


def test_a_keepalived_without_a_controller(machine: Machine) -> None:
    machine.process(700)
    assert find(machine.proc)[0].controller is None


def test_the_default_is_in_our_own_network_unnamed_then_oldest(machine: Machine) -> None:
    machine.process(700, net=POD_NET, age=900)
    machine.process(701, argv=("keepalived", "-i", "foo"), age=800)
    machine.process(702, age=10)
    machine.process(703, age=50)
    found = find(machine.proc)
    assert [k.pid for k in found] == [703, 702, 701, 700]
    chosen = choose(found)
    assert chosen is not None
    assert chosen.pid == 703


def test_a_keepalived_in_another_network_is_the_fallback(machine: Machine) -> None:
    machine.process(700, net=POD_NET)
    chosen = choose(find(machine.proc))
    assert chosen is not None
    assert chosen.pid == 700
    assert choose(()) is None


def test_the_pid_of_a_child_chooses_its_keepalived(machine: Machine) -> None:
    machine.pod()
    found = find(machine.proc)
    for pid in (796, 803, 804):
        chosen = choose(found, pid)
        assert chosen is not None
        assert chosen.pid == 796


def test_the_error_of_an_unknown_pid_lists_the_others(machine: Machine) -> None:
    machine.pod()
    with pytest.raises(
        KeepalivedNotFoundError, match=r"process 5 is not a keepalived; found: 796 \(/etc/keepalived/keepalived.conf\)"
    ):
        choose(find(machine.proc), 5)
    with pytest.raises(KeepalivedNotFoundError, match="none runs here"):
        choose((), 5)
