"""Which wheels a device gets, by its Python, architecture and C library."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.catalog import shipped
from edgeq.deliver.wheel_locks import Lock, choose_lock, read_locks
from edgeq.errors import DeviceUnfit, TargetRefused
from edgeq.nouns.device import Facts
from edgeq.nouns.target import RuntimeSupport
from tests.deliver.provision import devices_on_paper as devices


@pytest.mark.parametrize("lock", read_locks(), ids=lambda k: f"{k.runtime}-{k.python}-{k.arch}")
def test_every_lock_pins_wheels_of_its_own_python_and_architecture(lock: Lock) -> None:
    minor = int(lock.python.removeprefix("3."))
    for pin in lock.pins:
        _, _, interpreter, _, platform = pin.file.removesuffix(".whl").split("-")
        assert platform.endswith(lock.arch)
        assert interpreter == f"cp3{minor}"
    assert (2, 17) <= lock.glibc <= (2, 36)


@pytest.mark.parametrize(
    ("device", "runtime", "expected"),
    [
        (devices.DEBIAN_11_ARM64, "onnxruntime", ("onnxruntime 1.19.2", "numpy 2.0.2")),
        (devices.DEBIAN_11_ARM64, "litert", ("ai-edge-litert 2.1.0", "numpy 2.0.2")),
        (devices.DEBIAN_11_ARM64, "tflite-runtime", ("tflite-runtime 2.13.0", "numpy 1.26.4")),
        (devices.UBUNTU_22_ARM64, "onnxruntime", ("onnxruntime 1.23.2", "numpy 2.2.6")),
        (devices.UBUNTU_22_ARM64, "tflite-runtime", ("tflite-runtime 2.14.0", "numpy 1.26.4")),
        (devices.DEBIAN_12_ARM64, "onnxruntime", ("onnxruntime 1.31.1", "numpy 2.4.6")),
        (devices.DEBIAN_12_X86, "litert", ("ai-edge-litert 2.3.0", "numpy 2.4.6")),
        (devices.DEBIAN_12_ARMHF, "tflite-runtime", ("tflite-runtime 2.14.0",)),
    ],
)
def test_device_gets_the_newest_that_runs_there(
    device: Facts, runtime: str, expected: tuple[str, ...]
) -> None:
    assert (
        tuple(f"{p.name} {p.version}" for p in choose_lock(runtime, device, devices.target()).pins)
        == expected
    )


def test_runtimes_of_one_device_share_one_numpy() -> None:
    """Or two of them, 60 MB unpacked, would have to be sent."""
    both = [
        choose_lock(runtime, devices.DEBIAN_12_ARM64, devices.target())
        for runtime in ("onnxruntime", "litert")
    ]
    assert both[0].pins[1] == both[1].pins[1]


def test_no_onnxruntime_for_32_bit_arm_says_what_there_is() -> None:
    with pytest.raises(DeviceUnfit) as refusal:
        choose_lock("onnxruntime", devices.DEBIAN_12_ARMHF, devices.target())
    assert refusal.value.what == "there is no onnxruntime for Python 3.11.2 on armv7l with glibc 2.36"
    assert refusal.value.remedy == "tflite-runtime can be had there: choose with --runtime"
    assert refusal.value.details[0].startswith(
        "onnxruntime for aarch64: Python 3.9 (1.19.2), 3.10 (1.23.2), 3.11 ("
    )


def test_python_that_is_too_old_is_named() -> None:
    with pytest.raises(DeviceUnfit, match=r"no litert for Python 3\.7\.3 on aarch64"):
        choose_lock("litert", devices.facts("3.7.3", "aarch64", "glibc 2.28"), devices.target())


@pytest.mark.parametrize("libc", ["glibc 2.27", "musl", "unknown libc"])
def test_c_library_that_is_too_old_or_another_is_refused(libc: str) -> None:
    with pytest.raises(DeviceUnfit, match=rf"needs glibc 2\.28 or newer; this is .* with {libc}"):
        choose_lock("onnxruntime", devices.facts("3.11.2", "aarch64", libc), devices.target())


@pytest.mark.parametrize(("modules", "has"), [({}, "none"), ({"numpy": "2.2.4"}, "version 2.2.4")])
def test_numpy_of_the_distribution_has_to_be_there_and_to_fit(modules: dict[str, str], has: str) -> None:
    with pytest.raises(DeviceUnfit, match=rf"needs numpy<2 of the distribution.*has {has}") as refusal:
        choose_lock(
            "tflite-runtime", devices.facts("3.11.2", "armv7l", "glibc 2.36", **modules), devices.target()
        )
    assert "sudo apt install python3-numpy" in (refusal.value.remedy or "")


def test_target_may_ask_for_a_newer_runtime() -> None:
    wants = devices.target(RuntimeSupport("onnxruntime", ">=1.20", ("3.9", "3.11")))
    assert choose_lock("onnxruntime", devices.DEBIAN_12_ARM64, wants).version.startswith("1.31")
    with pytest.raises(
        DeviceUnfit, match=r"wants onnxruntime >=1\.20; the newest for CPython 3\.9 .* is 1\.19\.2"
    ):
        choose_lock("onnxruntime", devices.DEBIAN_11_ARM64, wants)


def test_target_may_leave_a_python_out() -> None:
    wants = devices.target(RuntimeSupport("onnxruntime", ">=1.16", ("3.11",)))
    with pytest.raises(DeviceUnfit, match=r"on Python 3\.11; the device has 3\.13"):
        choose_lock("onnxruntime", devices.DEBIAN_13_ARM64, wants)


def damaged(folder: Path, old: bytes, new: bytes) -> Path:
    """A copy of a lock that ships, changed."""
    name = "onnxruntime-cp311-aarch64.txt"
    text = (shipped("deploy") / "wheels" / name).read_bytes()
    assert old in text
    (folder / name).write_bytes(text.replace(old, new, 1))
    return folder


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"numpy-2.4.6-cp311", b"../../numpy-2.4.6-cp311"),
        (b"numpy==2.4.6", b"../numpy==2.4.6"),
        (b"numpy==2.4.6", b"numpy==2.4.6/../../x"),
        (b"  # numpy", b"  # /tmp/numpy"),
        (b"--hash=sha256:", b"--hash=sha256:x"),
        (b" bytes\n", b"0" * 5000 + b" bytes\n"),
        (b"onnxruntime for", b"\xff\xfe"),
        (b"onnxruntime==", b"# from the device: ???\nonnxruntime=="),
    ],
)
def test_a_lock_that_edgeq_did_not_write_is_refused_by_name(tmp_path: Path, old: bytes, new: bytes) -> None:
    with pytest.raises(TargetRefused, match="onnxruntime-cp311-aarch64.txt is not a lock of wheels"):
        read_locks(damaged(tmp_path, old, new))


def test_a_module_of_no_version_does_not_meet_a_requirement() -> None:
    """Where a device cannot tell a module's version it says so, and somebody who took it over says anything."""
    for said in ("unknown version", "", "1.0; rm -rf", "1" * 5000):
        device = replace(devices.DEBIAN_12_ARMHF, has_modules={"numpy": said})
        with pytest.raises(DeviceUnfit, match="needs numpy"):
            choose_lock("tflite-runtime", device, devices.target())
