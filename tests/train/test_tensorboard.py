"""Event files, read back by TensorBoard's own reader."""

import sys
from pathlib import Path

import pytest

from edgeq.errors import EdgeqError, ExtraMissing
from edgeq.train.tensorboard import EventFiles


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_scalars_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("torch")
    with EventFiles(tmp_path / "run") as events:
        for step in range(4):
            events.write(step, {"loss/train": 1.0 / (step + 1), "rate": 0.5})
    found = scalars(tmp_path / "run")
    assert found["rate"] == [(step, 0.5) for step in range(4)]
    assert found["loss/train"][3] == (3, 0.25)


def test_a_resumed_training_hides_what_it_does_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("torch")
    with EventFiles(tmp_path) as events:
        for step in range(4):
            events.write(step, {"loss": 9.0})
    with EventFiles(tmp_path, first_step=2) as events:
        events.write(2, {"loss": 1.0})
    assert scalars(tmp_path)["loss"] == [(0, 9.0), (1, 9.0), (2, 1.0)]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    pytest.importorskip("torch")
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeqError, match="cannot write event files in .*file"):
        EventFiles(tmp_path / "file")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ExtraMissing, match="--tensorboard needs the package tensorboard") as refused:
        EventFiles(tmp_path)
    assert refused.value.remedy is not None and 'pip install "edgeq[train]"' in refused.value.remedy
