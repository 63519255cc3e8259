"""Facts of devices that nobody has to own, and the target they are held against."""

from edgeq.nouns.device import Facts
from edgeq.nouns.target import Cpu, RuntimeSupport, Target


def facts(python: str, arch: str, libc: str, **modules: str) -> Facts:
    return Facts(
        board="a board", machine=arch, arch=arch, bits=32 if arch == "armv7l" else 64, cpu_model="a CPU", cores=4,
        isa=(), max_frequency_khz=None, memory_total=4_000_000_000, memory_available=3_000_000_000, python=python,
        python_path="/usr/bin/python3", libc=libc, os="an OS", kernel="Linux", hostname="device", user="pi",
        boot_id="1", root="/home/pi/edgeq", root_free=8_000_000_000, root_writable=True, has_modules=modules,
    )  # fmt: skip


def target(*runtimes: RuntimeSupport) -> Target:
    return Target("paper", "A device on paper", Cpu("aarch64", "a CPU", 4, ()), 4000, runtimes, threads=4)


DEBIAN_11_ARM64 = facts("3.9.2", "aarch64", "glibc 2.31")
UBUNTU_22_ARM64 = facts("3.10.12", "aarch64", "glibc 2.35")
DEBIAN_12_ARM64 = facts("3.11.2", "aarch64", "glibc 2.36")
DEBIAN_12_X86 = facts("3.11.2", "x86_64", "glibc 2.36")
DEBIAN_13_ARM64 = facts("3.13.5", "aarch64", "glibc 2.41")
DEBIAN_12_ARMHF = facts("3.11.2", "armv7l", "glibc 2.36", numpy="1.24.2", psutil="5.9.4")
