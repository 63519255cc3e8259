"""`current` is switched under an application that calls the model from several threads: no wrong answer, and nothing piles up."""

import gc
import logging
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from edgeq.application import edgeq_runtime
from tests.application.root import Root, load, times

ONES = np.ones((1, 4), np.float32)
SWITCHES = 200


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """Releases a (y = x) and b (y = 2 x); a is live."""
    root = Root(tmp_path / "root")
    root.release("a", times(1))
    root.release("b", times(2))
    root.switch("a")
    return root


def answer(model: object) -> float:
    return float(model(ONES)["y"][0, 0])  # type: ignore[operator]


def test_the_first_call_after_a_switch_is_answered_by_the_new_release(root: Root) -> None:
    model = load(root)
    assert answer(model) == 1.0
    root.switch("b")
    assert (answer(model), model.folder.parts[-3], model.failed) == (2.0, "b", None)
    root.switch("a")
    assert answer(model) == 1.0


def test_switches_under_load(root: Root) -> None:
    model, stop, wrong = load(root), threading.Event(), list[object]()
    calls = [0] * 4

    def call(worker: int) -> None:
        given = np.full((1, 4), worker + 1, np.float32)
        while not stop.is_set():
            try:
                got = model(given)["y"][0, 0] / given[0, 0]
            except Exception as error:
                wrong.append(error)
                return
            if got not in (1.0, 2.0):
                wrong.append(got)
            calls[worker] += 1

    workers = [threading.Thread(target=call, args=(i,)) for i in range(len(calls))]
    for worker in workers:
        worker.start()
    open_files = []
    for i in range(SWITCHES):
        root.switch("ba"[i % 2])
        if answer(model) != (2.0, 1.0)[i % 2]:
            wrong.append(i)
        if i in (20, SWITCHES - 1):
            open_files.append(len(os.listdir("/proc/self/fd")))
    stop.set()
    for worker in workers:
        worker.join()
    assert wrong == []
    assert min(calls) > 0
    assert open_files[1] <= open_files[0] + 2  # pytest's own


def test_a_release_that_does_not_load_is_logged_once_and_the_one_before_answers_on(
    root: Root, caplog: pytest.LogCaptureFixture
) -> None:
    model = load(root)
    root.release("broken", b"no model")
    root.switch("broken")
    with caplog.at_level(logging.ERROR, logger="edgeq_runtime"):
        assert [answer(model) for _ in range(5)] == [1.0] * 5
    (record,) = caplog.records
    assert "apps/net/current: the new release was not loaded, " in record.getMessage()
    assert "answers on" in record.getMessage()
    assert model.failed is not None
    assert model.folder.parts[-3] == "a"
    root.switch("b")
    assert (answer(model), model.failed) == (2.0, None)


@pytest.mark.parametrize("what", ["uninstalled", "removed"])
def test_what_is_loaded_answers_on_when_it_is_gone_from_disk(
    root: Root, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, current = load(root), root.path / "apps/net/current"
    if what == "removed":
        root.switch("gone")
    else:
        current.unlink()
    assert [answer(model), answer(model)] == [1.0, 1.0]
    assert len(caplog.records) == 1
    assert ("uninstalled" if what == "uninstalled" else "cannot read") in str(model.failed)
    root.switch("b")
    assert answer(model) == 2.0


def test_a_release_of_a_later_edgeq_is_not_misread(root: Root) -> None:
    model = load(root)
    root.release("later", times(3), schema=2)
    root.switch("later")
    assert answer(model) == 1.0
    assert "no contract of schema 1" in str(model.failed)


def test_an_app_that_is_uninstalled_and_deployed_again_is_followed(root: Root) -> None:
    model = load(root)
    shutil.rmtree(root.path / "apps/net")
    assert answer(model) == 1.0
    root.release("c", times(3))
    root.switch("c")
    assert answer(model) == 3.0
    root.release("d", times(4))
    root.switch("d")
    assert answer(model) == 4.0


def test_a_model_that_is_dropped_leaves_no_file_open(root: Root) -> None:
    load(root)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        load(root)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_release_pruned_while_it_is_loaded_gives_way_to_the_next(
    root: Root, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, open_release = load(root), edgeq_runtime._open

    def pruned(folder: Path, *more: object) -> object:
        if folder.parts[-3] == "gone":
            root.switch("b")
        return open_release(folder, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(edgeq_runtime, "_open", pruned)
    root.switch("gone")
    assert answer(model) == 2.0
    assert not caplog.records


def test_the_path_of_current_is_followed_like_the_name(root: Root) -> None:
    model = edgeq_runtime.load(root.path / "apps/net/current")
    root.switch("b")
    assert answer(model) == 2.0
