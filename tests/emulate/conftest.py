"""What these tests share: emulators that have to be there, and wheels that are fetched once for all runs."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.lab import images


def require_emulator(name: str) -> None:
    """`make lab` installs it."""
    if shutil.which(f"{name}-static") is None and shutil.which(name) is None:
        missing(f"{name} is not installed: run `make lab`, or apt-get install qemu-user-static")


@pytest.fixture
def arm64_root() -> Path:
    """The lab's Debian 12 for arm64, as a tree of files."""
    require_emulator("qemu-aarch64")
    tree = images.tree_of(images.IMAGES["bookworm-arm64"])
    if not tree.is_dir():
        missing("the lab's bookworm-arm64 is not built: run `make lab`")
    return tree


@pytest.fixture
def shared_wheels(own_home: Path) -> None:
    """41 MB of wheels lie where the lab keeps its file systems, and not in each test's own cache."""
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "edgeq"
    cache.mkdir(parents=True)
    for name in ("wheels", "sites"):
        kept = images.cache_folder() / name
        kept.mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(kept)
