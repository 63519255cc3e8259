"""The lab's devices, for tests of the whole line."""

from tests.lab.devices import (  # noqa: F401
    arm64_device,
    armhf_device,
    bullseye_arm64_device,
    systemd_device,
    systemd_session,
    x86_device,
)
