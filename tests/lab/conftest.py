"""The lab's own devices, for the lab's own tests."""

from tests.lab.devices import (  # noqa: F401
    arm64_device,
    armhf_device,
    bullseye_arm64_device,
    systemd_arm64_device,
    systemd_arm64_session,
    systemd_device,
    systemd_session,
    x86_device,
)
