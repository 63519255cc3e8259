"""Which emulator, which file system, and what a core says of itself: every gap is named with its remedy."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.emulate import qemu, sysroot
from edgeq.emulate.cpuinfo import cpuinfo
from edgeq.emulate.machine import emulated
from edgeq.errors import ExtraMissing, TargetRefused


def fake_qemu(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that says it is this version, alone on PATH."""
    program = folder / "qemu-x86_64-static"
    program.write_text(f"#!/bin/sh\necho 'qemu-x86_64 version {version} (Debian 1:{version})'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_package_of_a_missing_emulator_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraMissing, match="qemu-aarch64 is not installed") as refused:
        qemu.find("aarch64")
    assert "apt-get install qemu-user-static" in str(refused.value.remedy)


def test_an_emulator_without_avx2_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_qemu(tmp_path, "6.2.0", monkeypatch)
    with pytest.raises(ExtraMissing, match=r"qemu-x86_64 6\.2\.0 is too old"):
        qemu.find("x86_64")
    fake_qemu(tmp_path, "10.0.2", monkeypatch)
    assert str(qemu.find("x86_64")) == "qemu-x86_64 10.0.2"


@pytest.mark.parametrize("name", [n for n in catalog.target_names() if catalog.target(n).cpu.qemu])
def test_every_shipped_arm_core_is_known(name: str) -> None:
    cpu = catalog.target(name).cpu
    if cpu.arch != "x86_64":
        assert cpuinfo(str(cpu.qemu), cpu.isa, cores=2).count("CPU part") == 2


def test_a_cortex_a72_says_what_a_pi_4_says() -> None:
    cpu = catalog.target("rpi4").cpu
    lines = dict(line.split(":") for line in cpuinfo("cortex-a72", cpu.isa, cores=1).splitlines() if line)
    said = {key.strip(): value.strip() for key, value in lines.items()}
    assert said["CPU implementer"] == "0x41"
    assert said["CPU part"] == "0xd08"
    assert (said["CPU variant"], said["CPU revision"]) == ("0x0", "3")
    assert "asimddp" not in said["Features"]


def test_a_core_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(TargetRefused) as refused:
        cpuinfo("cortex-z9", (), cores=1)
    assert "cortex-a72" in str(refused.value.remedy)


def test_a_target_without_an_emulated_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match="x86-64-vnni names no CPU") as refused:
        emulated(catalog.target("x86-64-vnni"), rootfs=None, scratch=tmp_path, cache=tmp_path)
    assert "--emulate takes another target of that architecture: x86-64; or" in str(refused.value.remedy)


def test_a_missing_file_system_comes_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match="no aarch64 file system") as refused:
        sysroot.find("aarch64", None, tmp_path)
    assert f"--arch=arm64 --include=python3,libstdc++6 bookworm {tmp_path}/rootfs/aarch64" in str(
        refused.value.remedy
    )
    (tmp_path / "rootfs/aarch64").mkdir(parents=True)
    with pytest.raises(TargetRefused, match="has no python3"):
        sysroot.find("aarch64", None, tmp_path)


def test_the_emulated_process_sees_the_file_system_and_our_cpuinfo(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "proc").mkdir()
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/python3").write_text("")
    sysroot.lay(sysroot.find("aarch64", root, tmp_path), tmp_path / "prefix", "processor : 0\n")
    assert (tmp_path / "prefix/usr/bin/python3").is_file()
    assert (tmp_path / "prefix/bin/python3").is_file()
    assert (tmp_path / "prefix/proc/cpuinfo").read_text() == "processor : 0\n"
    assert list((root / "proc").iterdir()) == []
