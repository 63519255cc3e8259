"""The lab's Raspberry Pis end to end: other CPUs, other Pythons, older runtimes, all emulated; and what is refused there.

Each device is deployed to once and the documents of that are looked at from several sides: emulation is slow. Its times
are nobody's, so every deployment of several candidates that works ends with 3, "speed not compared".
"""

import contextlib
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.demo import demo_files
from tests.end_to_end.command_line import Result, edgeq
from tests.lab import devices
from tests.lab.device import LabDevice
from tests.lab.ssh_home import path_with_ssh

pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(900)]

NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(256, 10),
    )
"""


@dataclass(frozen=True)
class Board:
    """A device of the lab, and the folder of a user who has models, data and a cache of wheels for all devices."""

    device: LabDevice
    target: str
    desk: Path

    def edgeq(self, *words: str, target: str | None = None) -> Result:
        home = self.desk / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700, exist_ok=True)
        (home / ".ssh/known_hosts").write_text(self.device.known_hosts.read_text())
        where = ["--target", target or self.target, "--host", self.device.host]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(home))
            patch.setenv("PATH", path_with_ssh(home))
            for name in ("DATA", "CACHE", "CONFIG", "STATE"):
                patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
            patch.setenv("EDGEQ_PYTHON312", str(home / "no-python"))  # TFLite from ONNX only by with_onnx2tf
            return edgeq(self.desk, *words, *where, "--identity", str(self.device.key), timeout=600)

    def text(self, *words: str, code: int = 0) -> str:
        done = self.edgeq(*words)
        assert done.returncode == code, done.stdout[-2000:] + done.stderr
        return done.stdout

    def document(self, *words: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text(*words, "--json", code=code))
        return found

    def deploy(self, *words: str) -> dict[str, Any]:
        """A deployment that works, and says that no speed was compared."""
        return self.document("deploy", *words, code=3)

    def live(self, name: str) -> str:
        apps = self.document("status")["status"]["apps"]
        return str(next(app["live"] for app in apps if app["name"] == name))

    def leftovers(self) -> str:
        """Every file that edgeq left on the device."""
        return self.device.run("find ~/.local /var/lib/edgeq /tmp -type f 2>/dev/null", check=False).stdout


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    model, data = demo_files()
    (folder / "digits.onnx").write_bytes(model.read_bytes())
    (folder / "net.py").write_text(NETWORK)
    stored = np.load(data)
    np.savez(folder / "digits.npz", image=stored["image"][:160], labels=stored["labels"][:160])
    np.savez(folder / "images.npz", x=stored["image"][:160].astype(np.float32) / 16)
    return folder


@pytest.fixture(scope="module")
def pi4(arm64_device: LabDevice, desk: Path) -> Iterator[Board]:
    arm64_device.reset()
    yield Board(arm64_device, "rpi4", desk)
    arm64_device.reset()


@pytest.fixture(scope="module")
def on_pi4(pi4: Board) -> dict[str, dict[str, Any]]:
    """What two deployments to the same device said: for onnxruntime alone, then for both runtimes."""
    return {
        "digits": pi4.deploy("digits.onnx", "--data", "digits.npz"),
        "net": pi4.deploy("net.py:build", "--data", "images.npz"),
    }


@pytest.fixture(scope="module")
def bullseye(bullseye_arm64_device: LabDevice, desk: Path) -> Iterator[Board]:
    bullseye_arm64_device.reset()
    yield Board(bullseye_arm64_device, "rpi4", desk)
    bullseye_arm64_device.reset()


@pytest.fixture(scope="module")
def armhf(armhf_device: LabDevice, desk: Path) -> Iterator[Board]:
    armhf_device.reset()
    yield Board(armhf_device, "rpi4-32bit", desk)
    armhf_device.reset()


@pytest.fixture
def bare_pi4(desk: Path) -> Iterator[Board]:
    """One that edgeq has never been on, and that a test may spoil."""
    with devices.started(devices.ARM64) as device:
        yield Board(device, "rpi4", desk)


def test_both_runtimes_run_on_a_64_bit_pi(on_pi4: dict[str, dict[str, Any]]) -> None:
    assert ran(on_pi4["digits"]) == {"onnxruntime-float", "onnxruntime-int8_static"}
    assert ran(on_pi4["net"]) >= {
        *("litert-float", "litert-int8_static", "litert-int8_dynamic"),
        *("onnxruntime-float", "onnxruntime-int8_static"),
    }


def test_no_figure_of_an_emulated_device_goes_without_its_stamp(
    pi4: Board, on_pi4: dict[str, dict[str, Any]]
) -> None:
    document = on_pi4["net"]
    assert "cortex-a72" in document["device"]["emulated"]
    assert "cortex-a72" in document["race"]["emulated"]
    assert document["choice"]["compared"] is False
    assert "emulated" in document["choice"]["why"]
    assert {row["verdict"] for row in document["race"]["rows"]} <= {"reference", "not compared"}
    text = pi4.text("report", document["measurement"])
    assert "EMULATED (qemu-user cortex-a72): timings and memory are not representative" in text
    assert all("(emulated)" in line for line in text.splitlines() if " ms " in line)


def test_integer_outputs_are_the_hosts_to_the_last_bit(on_pi4: dict[str, dict[str, Any]]) -> None:
    for document in on_pi4.values():
        assert errors(document)["onnxruntime-int8_static"] == 0.0


@pytest.mark.parametrize("name", ["digits", "net"])
def test_the_program_that_status_prints_runs_there(
    name: str, pi4: Board, on_pi4: dict[str, dict[str, Any]]
) -> None:
    """By the device's own python3, which can import neither numpy nor a runtime."""
    program = pi4.text("status", name, "--code", "python")
    printed = pi4.device.run("python3 -", stdin=program.encode()).stdout
    (output,) = on_pi4[name]["conversion"]["manifest"]["outputs"]
    assert printed.startswith(f"{output['name']} {output['shape']} [")


def test_what_comes_after_the_first_deployment(pi4: Board, on_pi4: dict[str, dict[str, Any]]) -> None:
    """Again, measured, replaced, rolled back, fetched to another host, and removed."""
    first = on_pi4["net"]["app"]["live"]
    assert pi4.live("net") == first

    again = pi4.text("deploy", "net.py:build", "--data", "images.npz", code=3)  # as the first time
    assert [line.split()[0] for line in again.splitlines()] == ["live", "note"]
    assert "unchanged: this release is live already, nothing was sent" in again
    assert "Speed was not compared when this release went live (emulated device); --measure-again" in again

    words = ("net.py:build", "--data", "images.npz", "--recipe", "float", "--runtime", "litert")
    lone = pi4.document("deploy", *words)  # alone it has no speed to compare
    assert lone["previous"] == first
    assert lone["delivery"]["bytes_sent"] < lone["delivery"]["bytes_reused"], "the samples were there already"
    pi4.text("rollback", "net")
    assert pi4.live("net") == first

    with throttled_while_it_runs(pi4.device):
        benched = pi4.document("bench", "net")
    assert any("throttled" in reason for reason in benched["races"][0]["not_quiet"])

    elsewhere = ("--store", str(pi4.desk / "elsewhere.db"))
    assert pi4.document("report", "--fetch", *elsewhere)["fetched"] >= 4
    assert "EMULATED" in pi4.text("report", *elsewhere)

    pi4.text("uninstall", "--everything", "--yes")
    assert pi4.leftovers() == ""


def test_a_debian_11_pi_gets_older_runtimes(bullseye: Board) -> None:
    document = bullseye.deploy("net.py:build", "--data", "images.npz")
    assert document["device"]["python"].startswith("3.9.")
    assert ran(document) >= {"litert-int8_static", "onnxruntime-int8_static"}
    assert errors(document)["onnxruntime-int8_static"] == 0.0
    runs = bullseye.document("report", document["measurement"])["measurements"][0]["runs"]
    versions = {run["entrant"].partition("-")[0]: run["runtime_version"] for run in runs}
    assert versions["onnxruntime"].startswith("1.19.")
    assert versions["litert"].startswith("2.1.")


def test_a_model_of_a_newer_opset_is_lowered_to_what_the_older_runtime_reads(bullseye: Board) -> None:
    """onnxruntime 1.19, the newest for Python 3.9 on aarch64, reads opset 21."""
    import onnx

    newest = onnx.version_converter.convert_version(onnx.load(bullseye.desk / "digits.onnx"), 22)
    onnx.save(newest, bullseye.desk / "opset22.onnx")
    document = bullseye.document("deploy", "opset22.onnx", "--data", "digits.npz", "--dry-run")
    assert {c["min_runtime"] for c in document["conversion"]["manifest"]["candidates"]} == {"1.18"}


def test_a_32_bit_pi_runs_tflite_with_the_numpy_of_its_distribution(armhf: Board) -> None:
    document = armhf.deploy("net.py:build", "--data", "images.npz")
    assert (document["device"]["arch"], document["device"]["bits"]) == ("armv7l", 32)
    assert ran(document) == {"tflite-runtime-float", "tflite-runtime-int8_static"}
    wheels = armhf.device.run("ls ~/.local/share/edgeq/wheels").stdout.split()
    assert [wheel.rsplit("-", 1)[0] for wheel in wheels] == ["tflite-runtime-2.14.0"]


@pytest.fixture
def with_onnx2tf(desk: Path, onnx2tf_cache: Path) -> Iterator[None]:
    """For the length of one test: wherever it is there, LiteRT comes along."""
    place = desk / "home/cache/edgeq/converters"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(onnx2tf_cache / "converters")
    yield
    place.unlink()


@pytest.mark.usefixtures("with_onnx2tf")
def test_a_32_bit_pi_runs_an_onnx_file_as_tflite(armhf: Board) -> None:
    """It gets the same arrays as anywhere: the device's answers are held against this machine's."""
    document = armhf.deploy("digits.onnx", "--data", "digits.npz")
    assert ran(document) == {"tflite-runtime-float", "tflite-runtime-int8_static"}
    assert document["conversion"]["manifest"]["inputs"][0]["shape"] == [1, 1, 8, 8]
    assert all(check["passed"] for check in document["checks"])


def test_a_32_bit_pi_is_no_64_bit_pi(armhf: Board) -> None:
    done = armhf.edgeq("deploy", "digits.onnx", "--data", "digits.npz", target="rpi4")
    assert done.returncode == 40
    assert "is armv7l; target rpi4 is aarch64" in done.stderr
    assert "--target rpi4-32bit" in done.stderr


@pytest.mark.data
@pytest.mark.parametrize("name", ["armhf", "bullseye"])
def test_a_quantized_tflite_file_is_deployed_as_it_is(
    name: str, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    board: Board = request.getfixturevalue(name)
    model = data_dir / "mlperf_tiny" / "kws_ref_model.tflite"
    document = board.document("deploy", str(model), "--name", "kws")  # alone it has no speed to compare
    (candidate,) = document["conversion"]["manifest"]["candidates"]
    assert candidate["recipe"] == "as_is"
    assert ran(document) == {candidate["id"]}
    there = board.device.run(f"sha256sum < {document['app']['path']}/model.tflite").stdout.split()[0]
    assert there == hashlib.sha256(model.read_bytes()).hexdigest()


def little_memory(device: LabDevice) -> None:
    meminfo = device.board / "meminfo"
    meminfo.write_text(re.sub(r"(MemAvailable: +)\d+", r"\g<1>60000", meminfo.read_text()))


def little_disk(device: LabDevice) -> None:
    device.limit_free_disk(30_000_000)


def no_c_plus_plus(device: LabDevice) -> None:
    device.run_as_root("rm /usr/lib/aarch64-linux-gnu/libstdc++.so.6*")


def nothing(device: LabDevice) -> None:
    """It is as it should be; it is the target that is not."""


@pytest.mark.parametrize(
    ("taken_away", "target", "code", "said"),
    [
        (little_memory, "rpi4", 41, ("61 MB of memory available", "needs about", "of it the model")),
        (little_disk, "rpi4", 41, ("MB free on", "this release needs", "of it runtime")),
        (no_c_plus_plus, "rpi4", 40, ("lacks libstdc++.so.6", "apt-get install libstdc++6")),
        (nothing, "rpi4-32bit", 40, ("is aarch64", "armv7l", "rpi4 or rpi5")),
    ],
)
def test_a_device_that_lacks_something_is_refused_before_anything_is_sent(
    bare_pi4: Board, taken_away: Callable[[LabDevice], None], target: str, code: int, said: tuple[str, ...]
) -> None:
    taken_away(bare_pi4.device)
    done = bare_pi4.edgeq("deploy", "digits.onnx", "--data", "digits.npz", target=target)
    assert done.returncode == code, done.stderr
    for words in (*said, "Nothing was sent"):
        assert words in done.stderr
    assert bare_pi4.leftovers() == ""


def ran(document: dict[str, Any]) -> set[str]:
    """The candidates that ran there, each with the outputs that it hsame as on this machine."""
    assert all(row["state"] == "ok" for row in document["race"]["rows"])
    assert all(check["passed"] for check in document["checks"]), document["checks"]
    return {check["candidate"] for check in document["checks"]}


def errors(document: dict[str, Any]) -> dict[str, float]:
    """Candidate -> largest difference between the device's outputs and the host's."""
    return {check["candidate"]: check["largest_error"] for check in document["checks"]}


@contextlib.contextmanager
def throttled_while_it_runs(device: LabDevice) -> Iterator[None]:
    """The firmware reports that it throttles as soon as the agent has begun to write a result."""
    results = device.root / "home/pi/.local/share/edgeq/results"
    bits = device.board / "sys/devices/platform/soc/soc:firmware/get_throttled"
    before, over = set(os.listdir(results)), threading.Event()

    def watch() -> None:
        while set(os.listdir(results)) == before and not over.wait(0.02):
            pass
        bits.write_text("50005\n")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        bits.write_text("0\n")
