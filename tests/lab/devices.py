"""The lab's devices as fixtures, each started once per session on its first use; `device.reset()` makes it new.

Without root or the lab's file systems a test is skipped with the reason; under EDGEQ_LAB=require it fails.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import boards, claims, images, machine
from tests.lab.device import Kind, LabDevice, create

X86 = Kind("lab-x86", images.IMAGES["bookworm-amd64"])
ARM64 = Kind("lab-pi4", images.IMAGES["bookworm-arm64"], boards.PI4, cpu="cortex-a72")
BULLSEYE_ARM64 = Kind("lab-pi4-bullseye", images.IMAGES["bullseye-arm64"], boards.PI4, cpu="cortex-a72")
ARMHF = Kind("lab-pi4-32bit", images.IMAGES["bookworm-armhf"], boards.PI4_32BIT, cpu="cortex-a15")
SYSTEMD_ARM64 = Kind(
    "lab-pi4-systemd",
    images.IMAGES["bookworm-arm64-systemd"],
    boards.PI4,
    cpu="cortex-a72",
    systemd=True,
)
SYSTEMD = Kind("lab-systemd", images.IMAGES["bookworm-amd64-systemd"], systemd=True)


@contextmanager
def started(kind: Kind) -> Iterator[LabDevice]:
    """A device of this kind for the time of the block; skips, or fails where everything is required."""
    reason = machine.missing_for(kind.image, systemd=kind.systemd)
    if reason is not None:
        if os.environ.get("EDGEQ_LAB") == "require":
            pytest.fail(f"EDGEQ_LAB=require, but {reason}")
        pytest.skip(reason)
    device = create(kind)
    try:
        device.start()
        yield device
    finally:
        device.stop()
        claims.release(device.claim)


@pytest.fixture(scope="session")
def x86_device() -> Iterator[LabDevice]:
    """Debian 12 on x86-64 at native speed: sshd and Python 3.11, nothing else."""
    with started(X86) as device:
        yield device


@pytest.fixture(scope="session")
def arm64_device() -> Iterator[LabDevice]:
    """A Raspberry Pi 4 with Debian 12, emulated: Python 3.11, glibc 2.36."""
    with started(ARM64) as device:
        yield device


@pytest.fixture(scope="session")
def bullseye_arm64_device() -> Iterator[LabDevice]:
    """A Raspberry Pi 4 with Debian 11, emulated: Python 3.9, glibc 2.31."""
    with started(BULLSEYE_ARM64) as device:
        yield device


@pytest.fixture(scope="session")
def armhf_device() -> Iterator[LabDevice]:
    """A Raspberry Pi 4 with the 32-bit Debian 12, emulated; numpy and psutil are the distribution's."""
    with started(ARMHF) as device:
        yield device


@pytest.fixture(scope="session")
def systemd_session() -> Iterator[LabDevice]:
    with started(SYSTEMD) as device:
        yield device


@pytest.fixture(scope="session")
def systemd_arm64_session() -> Iterator[LabDevice]:
    with started(SYSTEMD_ARM64) as device:
        yield device


@pytest.fixture
def systemd_device(systemd_session: LabDevice, request: pytest.FixtureRequest) -> LabDevice:
    """Debian 12 with systemd as PID 1 and sudo for its user; new for every test."""
    return _renewed(systemd_session, request)


@pytest.fixture
def systemd_arm64_device(systemd_arm64_session: LabDevice, request: pytest.FixtureRequest) -> LabDevice:
    """A Raspberry Pi 4 with systemd as PID 1, emulated: services and sudo work, user sessions do not; new each test."""
    return _renewed(systemd_arm64_session, request)


def _renewed(device: LabDevice, request: pytest.FixtureRequest) -> LabDevice:
    used = request.config.stash.setdefault(_USED, set())
    if device.ip in used:
        device.reset()
    used.add(device.ip)
    return device


_USED = pytest.StashKey[set[str]]()
