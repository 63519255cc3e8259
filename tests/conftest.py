"""Fixtures that every test may use. A lab or data that is missing skips with its reason; under
EDGEQ_LAB=require (CI) it fails instead, so that nothing is ever skipped there in silence."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.how_to_repeat import pytest_terminal_summary  # noqa: F401
from tests.lab.ssh_home import path_with_ssh
from tests.same_numbers import (  # noqa: F401
    pytest_collection_modifyitems,
    pytest_runtest_call,
    pytest_runtest_setup,
)
from tests.workers import (  # noqa: F401
    ctrl_c_reaches_what_tests_start,
    one_thread_each,
    pytest_xdist_auto_num_workers,
)

ctrl_c_reaches_what_tests_start()
one_thread_each()
settings.register_profile("edgeq", deadline=None, derandomize=True)  # the same examples on a busy machine too
settings.load_profile("edgeq")

ROOT = Path(__file__).parent.parent


def missing(reason: str) -> None:
    """Skip, or fail where everything is required."""
    if os.environ.get("EDGEQ_LAB") == "require":
        pytest.fail(f"EDGEQ_LAB=require, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real models and labelled data: $EDGEQ_DATA, or shared/data beside the checkout."""
    path = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        missing(f"the real models are not at {path} (set EDGEQ_DATA)")
    return path


@pytest.fixture(autouse=True, scope="session")
def no_onnx2tf() -> Iterator[None]:
    """No test builds the environment of onnx2tf by the way, which takes a network and minutes: those that want it ask for
    it. Of the session, for what fixtures of modules convert too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEQ_PYTHON312", "/no-python")
        yield


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's own caches, stores or ssh configuration."""
    home = tmp_path_factory.mktemp("home")
    for name, folder in (
        ("XDG_STATE_HOME", "state"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_CONFIG_HOME", "config"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", path_with_ssh(home))
    return home


@pytest.fixture
def opened_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX files are opened in this process, where a test has put something else in the place of a step."""
    from edgeq.ingest.graph import open_file, opened

    class Here:
        def __init__(self, reader, path, limits, *, writes, **options):  # type: ignore[no-untyped-def]
            self.result = lambda: (open_file.open_file(str(path), **options), b"")

    monkeypatch.setattr(opened, "begin", Here)
