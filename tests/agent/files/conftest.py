from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edgeq.deliver.agent_archive import AgentArchive, build_agent
from tests.agent.files.device import Device

MEMORY = Path("/dev/shm")
PYENV = Path.home() / ".pyenv" / "versions"  # read before a test gets a home of its own


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> AgentArchive:
    return build_agent(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def device(archive: AgentArchive) -> Iterator[Device]:
    """In memory, for a killed process loses nothing that it wrote: the many fsyncs of a real disk would show no more."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Device(Path(folder) / "root", archive.path)


@pytest.fixture
def token(device: Device) -> str:
    return device.lock()


@pytest.fixture
def old_python() -> str:
    """The oldest Python that the agent supports."""
    found = sorted(PYENV.glob("3.9.*/bin/python"))
    if not found:
        pytest.skip("there is no Python 3.9 below ~/.pyenv")
    return str(found[-1])
