"""How tests are spread over processes, and how these share what is made once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.workers import pytest_xdist_auto_num_workers, shared_folder


class Factory:
    """The temporary folder of one worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def getbasetemp(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        return self.folder


def test_what_workers_share_is_made_by_the_first_that_asks(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "model").write_text("weights")

    def ask(worker: str) -> Path:
        return shared_folder(Factory(tmp_path / worker), "model", make, worker)  # type: ignore[arg-type]

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(ask, ("gw0", "gw1", "gw2", "gw3")))
    assert found == {*made} and len(made) == 1
    assert (made[0] / "model").read_text() == "weights"


def test_what_failed_half_way_is_made_anew(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        shared_folder(Factory(tmp_path / "gw0"), "model", fail, "gw0")  # type: ignore[arg-type]
    whole = shared_folder(Factory(tmp_path / "gw1"), "model", lambda folder: None, "gw1")  # type: ignore[arg-type]
    assert not (whole / "half").exists()


def test_without_workers_it_lies_in_the_run_s_own_folder(tmp_path: Path) -> None:
    folder = shared_folder(Factory(tmp_path / "run"), "model", lambda folder: None, "master")  # type: ignore[arg-type]
    assert folder.parent == tmp_path / "run"


@pytest.mark.parametrize(
    ("words", "workers"),
    [
        (["tests/a.py::test_one"], 0),
        (["tests/a.py::test_one", "tests/b.py::test_two[x]"], 0),
        (["tests"], None),
        (["tests/a.py::test_one", "tests/b.py"], None),
    ],
)
def test_named_tests_run_in_this_process(
    words: list[str], workers: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    found = pytest_xdist_auto_num_workers(SimpleNamespace(args=words))  # type: ignore[arg-type]
    assert found == workers if workers is not None else found is not None and found >= 1


def test_the_number_of_workers_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")
    assert pytest_xdist_auto_num_workers(SimpleNamespace(args=["tests"])) is None  # type: ignore[arg-type]
