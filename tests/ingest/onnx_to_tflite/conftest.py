"""A user who has onnx2tf's environment, or a Python to build it from."""

from pathlib import Path

import pytest

from edgeq.ingest.onnx_to_tflite.find_python import VARIABLE
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401


@pytest.fixture
def own_cache(own_home: Path, onnx2tf_cache: Path) -> Path:  # noqa: F811
    """The test's own user has the environment in the cache."""
    folder = own_home / "cache/edgeq"
    folder.mkdir(parents=True)
    (folder / "converters").symlink_to(onnx2tf_cache / "converters")
    return folder


@pytest.fixture
def own_python(python312: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """The Python that whatever is built in a test is built from."""
    monkeypatch.setenv(VARIABLE, str(python312))
    return python312
