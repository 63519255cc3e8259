"""One cache of wheels for all these tests and for the next run, where the lab keeps its file systems."""

from pathlib import Path

import pytest

from tests.lab import images
from tests.lab.devices import arm64_device, armhf_device, bullseye_arm64_device, x86_device  # noqa: F401


@pytest.fixture(scope="session")
def wheel_cache() -> Path:
    return images.cache_folder() / "wheels"
