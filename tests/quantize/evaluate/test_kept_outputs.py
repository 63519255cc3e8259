"""What a model gave is found again by its file and the samples, to the last bit."""

from pathlib import Path

import numpy as np
import pytest

from edgeq.nouns.model import Model
from edgeq.quantize.evaluate import judge
from edgeq.quantize.evaluate.judge import FloatReference, float_reference
from edgeq.quantize.evaluate.kept_outputs import KeptOutputs
from tests.quantize.networks import Rows, images, residual, saved


def reference(model: Model, folder: Path, seed: int = 9) -> tuple[FloatReference, bool]:
    """As a process of its own computes it, and whether float was run."""
    judge._references.clear()
    heldout = Rows(images(12, seed=seed), sha256=f"{seed}" * 64)
    ran: list[str] = []
    found = float_reference(
        model, heldout, folder, cache=folder / "cache", progress=lambda stage, share: ran.append(stage)
    )
    return found, bool(ran)


def test_float_runs_once_for_a_model_and_samples(tmp_path: Path) -> None:
    model = saved(residual(), tmp_path)
    (first, ran), (again, ran_again) = reference(model, tmp_path), reference(model, tmp_path)
    assert (ran, ran_again) == (True, False)
    assert again.differs_db == first.differs_db
    for one, other in zip(first.outputs, again.outputs, strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    assert reference(model, tmp_path, seed=8)[1]
    assert reference(saved(residual(channels=8), tmp_path), tmp_path)[1]


@pytest.mark.parametrize("number", [None, 12.5])
def test_a_number_is_kept_with_them(tmp_path: Path, number: float | None) -> None:
    (tmp_path / "file").write_bytes(b"a model")
    kept = KeptOutputs(tmp_path / "cache", tmp_path / "file", Rows(images(2)), threads=1)
    assert kept.find() is None
    kept.keep((np.arange(3.0),), number)
    assert kept.find() is not None
    assert kept.find()[1] == number  # type: ignore[index]
    assert KeptOutputs(tmp_path / "cache", tmp_path / "file", Rows(images(2)), threads=2).find() is None


def test_large_outputs_and_those_of_several_shapes_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a model")
    kept = KeptOutputs(tmp_path / "cache", tmp_path / "file", Rows(images(2)))
    several = np.array([np.zeros(1), np.zeros(2)], dtype=object)
    for outputs in (np.zeros(3_000_000, np.float32), several):
        kept.keep((outputs,))
        assert kept.find() is None
