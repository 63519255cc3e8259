"""Facts read from what real devices say of themselves (tests/golden)."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edgeq.agent.facts import read_facts
from edgeq.agent.probes.userland import missing_libraries
from edgeq.nouns.device import Facts

GOLDEN = Path(__file__).parents[2] / "golden"


def facts_of(device: str, machine: str = "aarch64", bits: int = 64, root: str = "/tmp") -> Facts:
    kernel = os.uname_result(("Linux", "board", "6.6.31+rpt-rpi-v8", "#1 SMP PREEMPT", machine))
    return read_facts(root, GOLDEN / device, kernel, bits)


def test_pi4():
    facts = facts_of("pi4")

    assert facts.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert (facts.machine, facts.arch, facts.bits) == ("aarch64", "aarch64", 64)
    assert facts.cpu_model == "Cortex-A72"
    assert facts.isa == ("asimd", "cpuid", "crc32", "evtstrm", "fp")
    assert facts.max_frequency_khz == 1_800_000
    assert (facts.memory_total, facts.memory_available) == (3885396 * 1024, 3401784 * 1024)
    assert facts.os == "Debian GNU/Linux 12 (bookworm)"
    assert facts.systemd == "252"
    assert facts.boot_id == "5b8f4c0e-58a1-4f43-9a55-0d0c6bd8c4f1"
    assert facts.emulated is None


def test_pi5_has_dot_products():
    facts = facts_of("pi5")

    assert facts.cpu_model == "Cortex-A76"
    assert {"asimddp", "asimdhp"} <= set(facts.isa)


def test_a_32_bit_userland_on_a_64_bit_kernel_is_told_by_its_pointers():
    facts = facts_of("pi4-32bit", machine="aarch64", bits=32)

    assert (facts.machine, facts.arch, facts.bits) == ("aarch64", "armv7l", 32)
    assert "neon" in facts.isa
    assert facts.systemd is None


@pytest.mark.parametrize("device", ["vm-kvm", "vm-ec2", "laptop"])
def test_virtual_machines_are_no_emulators(device):
    assert facts_of(device, machine="x86_64").emulated is None


def test_qemu_without_kvm_is_one():
    assert facts_of("vm-tcg", machine="x86_64").emulated.startswith("QEMU without KVM")


def test_an_intel_cpu_under_an_arm_userland_is_emulation():
    assert "GenuineIntel under an aarch64 userland" in facts_of("vm-kvm", machine="aarch64").emulated


def test_a_marker_says_why(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/edgeq-emulated").write_text("lab: cortex-a72 under qemu-user\n")

    assert read_facts("/tmp", tmp_path).emulated == "lab: cortex-a72 under qemu-user"


def test_cores_that_differ_share_what_all_can_do(tmp_path):
    (tmp_path / "proc").mkdir()
    core = "processor\t: {}\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n\n"
    cores = core.format(0, "fp asimd", "0xd05") + core.format(1, "fp asimd asimddp", "0xd0b")
    (tmp_path / "proc/cpuinfo").write_text(cores)
    facts = read_facts("/tmp", tmp_path)

    assert facts.isa == ("asimd", "fp")
    assert facts.cpu_model == "Cortex-A55 + Cortex-A76"


def test_a_bare_file_system_is_unknown_not_an_error(tmp_path):
    facts = read_facts("/tmp", tmp_path)

    assert facts.board.startswith("unknown board")
    assert facts.cpu_model == "unknown CPU"
    assert facts.boot_id == "unknown"


def test_a_root_that_is_not_there_yet_is_judged_by_where_it_would_be_made(tmp_path):
    facts = read_facts(str(tmp_path / "not/yet"))

    assert facts.root_writable and facts.root_free > 0
    assert facts.root == str(tmp_path / "not/yet")


def test_this_machine():
    facts = read_facts("/tmp")

    assert Facts.from_dict(facts.to_dict()) == facts
    assert facts.bits == struct.calcsize("P") * 8
    assert facts.python_path == sys.executable
    assert facts.has_modules["numpy"] and facts.has_modules["onnxruntime"]


def test_a_library_that_does_not_load_is_named():
    assert missing_libraries(("libc.so.6", "libnowhere.so.1")) == ("libnowhere.so.1",)
    assert read_facts("/tmp").lacking == ()


def test_reading_facts_imports_nothing_that_is_heavy():
    program = (
        "import sys; from edgeq.agent.facts import read_facts; read_facts('/tmp');"
        "print([m for m in ('numpy', 'onnxruntime', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
