"""What a device lacks is said before anything is sent to it."""

import re
from dataclasses import replace

import pytest

from edgeq import catalog
from edgeq.deliver import preflight
from edgeq.errors import DeviceUnfit, NoSpace, ReadOnly
from edgeq.nouns.device import Facts

PI4 = Facts(
    board="Raspberry Pi 4 Model B Rev 1.4",
    machine="aarch64",
    arch="aarch64",
    bits=64,
    cpu_model="Cortex-A72",
    cores=4,
    isa=("fp", "asimd", "evtstrm", "crc32", "cpuid"),
    max_frequency_khz=1_800_000,
    memory_total=4_000_000_000,
    memory_available=3_000_000_000,
    python="3.11.2",
    python_path="/usr/bin/python3",
    libc="glibc 2.36",
    os="Debian GNU/Linux 12 (bookworm)",
    kernel="Linux 6.1",
    hostname="pi",
    user="pi",
    boot_id="b",
    root="/home/pi/.local/share/edgeq",
    root_free=3_000_000_000,
    root_writable=True,
)


def test_a_pi_4_is_a_pi_4() -> None:
    assert preflight.require_target(PI4, catalog.target("rpi4"), "pi@x") == ()


def test_a_32_bit_userland_on_a_64_bit_kernel_is_told_from_a_64_bit_system() -> None:
    legacy = replace(PI4, arch="armv7l", bits=32)
    with pytest.raises(DeviceUnfit, match="32-bit userland .armv7l. on a 64-bit kernel") as unfit:
        preflight.require_target(legacy, catalog.target("rpi4"), "pi@x")
    assert unfit.value.remedy == (
        "deploy with --target rpi4-32bit, or install a 64-bit system. Nothing was sent."
    )


def test_a_device_of_another_architecture_is_answered_with_every_target_of_its_own() -> None:
    with pytest.raises(DeviceUnfit) as unfit:
        preflight.require_target(PI4, catalog.target("rpi4-32bit"), "pi@x")
    same = [n for n in catalog.target_names() if catalog.target(n).cpu.arch == "aarch64"]
    named = {n for n in same if catalog.target(n).os == "linux"}
    assert set(re.findall(r"rpi[\w-]+", unfit.value.remedy or "")) == named


def test_flags_that_are_missing_are_said_and_do_no_harm() -> None:
    notes = preflight.require_target(PI4, catalog.target("rpi5"), "pi@x")
    assert any("asimddp" in note for note in notes)


def test_a_system_without_the_c_plus_plus_library_is_refused_with_the_package_to_install() -> None:
    preflight.require_libraries(PI4, "pi@x")
    with pytest.raises(DeviceUnfit, match=r"lacks libstdc\+\+\.so\.6") as unfit:
        preflight.require_libraries(replace(PI4, lacking=("libstdc++.so.6",)), "pi@x")
    assert "apt-get install libstdc++6" in (unfit.value.remedy or "")


def test_too_little_disk_is_refused_with_both_numbers_and_what_is_live() -> None:
    with pytest.raises(NoSpace, match="has 212 MB free.*needs 266 MB .200 MB of it runtime") as refused:
        preflight.require_room(
            replace(PI4, root_free=212_000_000),
            "pi@x",
            to_send=50_000_000,
            wheels=200_000_000,
            live="net = 81aa03e",
        )
    assert refused.value.live == "net = 81aa03e"


def test_too_little_memory_is_refused_with_both_numbers() -> None:
    with pytest.raises(NoSpace, match="300 MB of memory available.*about 480 MB"):
        preflight.require_memory(
            replace(PI4, memory_available=300_000_000), "pi@x", predicted_peak=400_000_000, live=None
        )


def test_a_root_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(ReadOnly, match="pi@x does not let pi write"):
        preflight.require_writable(replace(PI4, root_writable=False), "pi@x")
