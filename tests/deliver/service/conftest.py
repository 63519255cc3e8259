"""A device under a real systemd, as the commands of edgeq are called with it."""

from pathlib import Path

import pytest

from tests.deliver.service.board import Board
from tests.lab.device import LabDevice
from tests.lab.devices import systemd_device, systemd_session  # noqa: F401


@pytest.fixture
def board(systemd_device: LabDevice, own_home: Path) -> Board:  # noqa: F811
    """New for every test; `~/.ssh/config` of this test knows it."""
    (own_home / ".ssh").mkdir(mode=0o700)
    (own_home / ".ssh/config").write_text(f"Include {systemd_device.config}\n")
    return Board(systemd_device)
