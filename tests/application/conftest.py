from pathlib import Path

import pytest

from edgeq.deliver.agent_archive import AgentArchive, build_agent


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> AgentArchive:
    return build_agent(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A module with a torch factory; its input is 1x8x8."""
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nfrom torch import nn\n\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))\n"
    )
    return file
