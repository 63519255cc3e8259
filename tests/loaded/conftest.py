"""The demo's digits as a bundle for this machine, in onnxruntime alone."""

from pathlib import Path

import numpy as np
import pytest

import edgeq
from edgeq.demo import demo_files


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "digits.edgeq"
    model, data = demo_files()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
        edgeq.convert(model, data=data, target="x86-64-vnni", runtime="onnxruntime", output=place)
    return place


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """64 images [64, 1, 8, 8] float32, and their labels."""
    stored = np.load(demo_files()[1])
    return stored["image"][:64].astype(np.float32), stored["labels"][:64]
