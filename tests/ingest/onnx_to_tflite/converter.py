"""Fixtures: a Python for onnx2tf, and its environment, built once and kept in the lab's cache, since it takes a network."""

import os
from pathlib import Path

import pytest

from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite.environment import built
from edgeq.ingest.onnx_to_tflite.find_python import REMEDY, VARIABLE, find_python
from tests.conftest import missing
from tests.lab import images, machine

_NAMED = os.environ.get(VARIABLE)  # by whoever runs the tests; tests/conftest.py sets another one


@pytest.fixture(scope="session")
def debian13() -> Path:
    """The lab's root file system of Debian 13."""
    image = images.IMAGES["trixie-amd64"]
    if reason := machine.missing_for(image, systemd=False):
        missing(reason)
    return images.tree_of(image)


@pytest.fixture(scope="session")
def python312(request: pytest.FixtureRequest) -> Path:
    """This machine's, else Debian 13's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, _NAMED or "")
        try:
            return find_python().path
        except ExtraMissing:
            tree: Path = request.getfixturevalue("debian13")
            return tree


@pytest.fixture(scope="session")
def onnx2tf_cache(python312: Path) -> Path:
    """Where the environment lies."""
    folder = images.cache_folder() / "onnx2tf"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(python312))
        try:
            built(folder, print)
        except ExtraMissing as error:
            missing(f"{error.what}: {'; '.join(error.details) or REMEDY}")
    return folder
