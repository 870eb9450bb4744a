"""Which kernel and keepalived the lab uses, and its errors when it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.lab import kernel, release
from tests.lab.keepalived import version_of
from tests.lab.loader import INTERPRETER, with_loader
from tests.lab.release import KERNEL_VARIABLE, VARIABLE, Release, ReleaseError, chosen, fetch, machine


def test_the_machine_s_own_packages_are_used_unless_another_release_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert chosen() == Release()
    assert chosen().keepalived_root == "/"
    monkeypatch.setattr(release, "machine", lambda: "12")
    monkeypatch.setenv(VARIABLE, "12")
    assert chosen() == Release()
    monkeypatch.setenv(VARIABLE, "13")
    assert chosen().keepalived_root.endswith(".lab/keepalived-2.3.3")
    assert str(chosen().modules).endswith(".lab/kernel-13/usr/lib/uml/modules")


def test_the_kernel_is_chosen_separately_from_keepalived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "machine", lambda: "12")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv(KERNEL_VARIABLE, "13")
    assert (chosen().parts, chosen().keepalived_root) == (("kernel-13",), "/")
    monkeypatch.setenv(KERNEL_VARIABLE, "12")
    monkeypatch.setenv(VARIABLE, "13")
    assert (chosen().parts, chosen().folder, chosen().keepalived_number) == (("2.3.3",), Path("/"), "13")
    monkeypatch.setenv(KERNEL_VARIABLE, "14")
    with pytest.raises(ReleaseError, match="KVTUI_LAB_KERNEL=14: the lab knows"):
        chosen()


def test_the_error_for_an_unknown_release_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "14")
    with pytest.raises(ReleaseError, match="KVTUI_LAB_DEBIAN=14: the lab knows Debian 12 and 13 only"):
        chosen()
    assert kernel.why_not() == "KVTUI_LAB_DEBIAN=14: the lab knows Debian 12 and 13 only."


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('ID=debian\nVERSION_ID="13"\n', "13"),
        ("ID=debian\n", ""),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', ""),
    ],
)
def test_the_debian_release_of_the_machine(text: str, number: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(text)
    assert machine(tmp_path / "os-release") == number
    assert machine(tmp_path / "nothing") == ""


def test_a_failed_download_is_an_error_with_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "packaging" / "keepalived-versions"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "kvtui: no mirror for $*" >&2\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setattr(release, "PROJECT", tmp_path)
    fetch(Release())
    with pytest.raises(ReleaseError, match=r"cannot boot on this machine: kvtui: no mirror for kernel-13 2\.3\.3"):
        fetch(Release("13", "13"))


def test_a_copy_of_the_same_size_names_another_loader(tmp_path: Path) -> None:
    program, loader = tmp_path / "program", tmp_path / "lib" / "ld-linux-x86-64.so.2"
    program.write_bytes(b"\x7fELF" + INTERPRETER + b"rest")
    words = with_loader(program, loader, tmp_path)
    assert words == ["/usr/bin/env", f"LD_LIBRARY_PATH={tmp_path}/lib", f"{tmp_path}/linux.uml"]
    copy = (tmp_path / "linux.uml").read_bytes()
    assert copy.startswith(b"\x7fELFld.so\0")
    assert (len(copy), copy[-4:]) == (program.stat().st_size, b"rest")
    assert (tmp_path / "ld.so").readlink() == loader
    program.write_bytes(b"static")
    with pytest.raises(ValueError, match="as its loader"):
        with_loader(program, loader, tmp_path)


def test_missing_commands_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    installed = {"keepalived", "modprobe", "ipvsadm", "ip", "ps", "tcpdump", "curl", "nsenter", "unshare"}
    monkeypatch.setattr(shutil, "which", lambda command, path: f"{path}/{command}" * (command in installed) or None)
    assert kernel.why_not() == (
        "The lab cannot boot on this machine: it needs the Debian packages user-mode-linux, util-linux"
        " (not found: linux.uml, pivot_root)."
    )


def test_the_failed_step_of_the_boot_is_named(tmp_path: Path) -> None:
    booted = kernel.Kernel(["true"])
    booted.dir = tmp_path
    (tmp_path / "console").write_text("Linux\nlab init: cannot mount the output folder (Linux 6.12.113)\n")
    (tmp_path / "stdout").write_text("")
    assert booted.failed_step() == "The lab did not boot: cannot mount the output folder (Linux 6.12.113)."
    (tmp_path / "console").write_text("Kernel panic\n")
    assert booted.failed_step() == "The lab's kernel stopped before the command did."


@pytest.mark.parametrize(
    ("text", "rejects", "json_log"),
    [
        ("2.2.7", True, "as json for process"),
        ("2.3.3", False, None),
        ("2.3.4", False, None),
        ("2.2.8", True, "as json for process"),
    ],
)
def test_an_unknown_version_behaves_like_the_previous_one(
    text: str, rejects: bool, json_log: str | None, tmp_path: Path
) -> None:
    program = tmp_path / "usr/sbin/keepalived"
    program.parent.mkdir(parents=True)
    program.write_bytes(f"\x7fELF Keepalived v{text} (2025)\0".encode())
    found = version_of(str(tmp_path))
    assert (found.text, found.rejects_other_vips, found.json_log) == (text, rejects, json_log)
    program.write_bytes(b"Keepalived v1.0.0")
    with pytest.raises(LookupError, match="older than all"):
        version_of(str(tmp_path))
