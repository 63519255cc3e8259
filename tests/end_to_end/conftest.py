"""The lab's devices, for tests of the whole line; and one with an older release live, put back before each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeq.demo import demo_files
from tests.end_to_end.faults_cable import Cable, cable
from tests.end_to_end.faults_scene import Scene, recall, remember
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401
from tests.lab.device import LabDevice
from tests.lab.devices import (  # noqa: F401
    arm64_device,
    armhf_device,
    bullseye_arm64_device,
    systemd_device,
    systemd_session,
    x86_device,
)
from tests.workers import shared_folder


@pytest.fixture(scope="session")
def releases(x86_device: LabDevice, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:  # noqa: F811
    """The bundles of an older and a newer release, made once per run; beside them a cache for 41 MB of wheels."""

    def make(folder: Path) -> None:
        (folder / "home").mkdir()
        scene = Scene(x86_device, folder / "home", folder / "cache", folder)
        model, data = demo_files()
        shutil.copy(model, folder / "digits.onnx")
        for name, recipe in ((scene.old, "float"), (scene.new, "int8_static")):
            words = [str(folder / "digits.onnx"), "--data", str(data), "--recipe", recipe, "-o", str(name)]
            made = scene.convert(*words)
            assert made.code == 0, made

    return shared_folder(tmp_path_factory, "releases", make, worker_id)


@pytest.fixture(scope="module")
def provisioned(
    x86_device: LabDevice,  # noqa: F811
    releases: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    """The runtime is there and a float release is live; both releases lie ready as bundles."""
    home = tmp_path_factory.mktemp("faults")
    x86_device.reset()
    scene = Scene(x86_device, home, releases / "cache", releases)
    done = scene.deploy(str(scene.old))
    assert done.code in (0, 3), done
    remember(x86_device)
    yield scene
    x86_device.reset()


@pytest.fixture
def scene(provisioned: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The older release live, nothing else on the device, a user who was never here before."""
    provisioned.device.limit_free_disk(1_000_000_000)
    recall(provisioned.device)
    home = tmp_path / "home"
    home.mkdir()
    fresh = Scene(provisioned.device, home, provisioned.cache, provisioned.bundles)
    assert fresh.live() == fresh.digest(fresh.old)
    yield fresh
    fresh.settle()


@pytest.fixture
def wire(scene: Scene, tmp_path: Path) -> Iterator[Cable]:
    """A cable to the device that can be cut."""
    with cable((scene.device.ip, 22), tmp_path / "ear") as made:
        yield made
