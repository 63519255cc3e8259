"""Which samples train, calibrate and judge where a conversion trains."""

import numpy as np
import pytest

from edgeq.conversion.bundle_samples import _parts
from edgeq.conversion.training_samples import LEAST, MOST_JUDGES, parts_of, split_for_training
from edgeq.errors import DataRefused
from edgeq.ingest.given_data import given_data
from edgeq.ingest.samples import Samples, open_samples
from edgeq.nouns.tensor import TensorSpec


def samples(count: int, *, labelled: bool = True, different: int | None = None) -> Samples:
    values = (np.arange(count) % (different or count)).astype(np.float32)[:, None]
    data = (values, np.arange(count) % 4) if labelled else values
    return open_samples(given_data(data), inputs=(TensorSpec("x", "float32", (1, 1)),))


@pytest.mark.parametrize("count", [LEAST, 500, 20_000])
def test_no_sample_has_two_uses_but_that_those_that_calibrate_are_trained_on(count: int) -> None:
    found = split_for_training(samples(count))
    parts = parts_of(found.training)
    train, validate = (set(found.training.take(list(part)).keys) for part in (parts.train, parts.validation))
    judge = set(found.heldout.keys)
    assert len(train) + len(validate) + len(judge) == count, (
        "all that do not judge are trained on or validate"
    )
    assert set(found.calibration.keys) < train
    assert len(judge) == min(count // 5, MOST_JUDGES)


def test_each_class_keeps_its_share() -> None:
    found = split_for_training(samples(400))
    for part in (found.training, found.heldout, found.calibration):
        assert np.ptp(np.bincount(part.labels)) <= 2


def test_equal_samples_never_judge_what_they_trained() -> None:
    found = split_for_training(samples(600, labelled=False, different=200))
    assert not set(found.training.keys) & set(found.heldout.keys)


def test_the_least_is_said_with_its_reason() -> None:
    with pytest.raises(
        DataRefused, match="80 different samples.*32 to train on, 32 that say.*16 that judge; there are 50"
    ):
        split_for_training(samples(300, labelled=False, different=50))
    with pytest.raises(DataRefused, match="--calibrate 64 is more than --finetune trains on"):
        split_for_training(samples(LEAST), calibrate=64)


def test_verify_finds_the_samples_that_judged_again() -> None:
    class Bundle:
        class manifest:
            data_sha256 = split_for_training(samples(300)).calibration.sha256

    found = _parts(Bundle, samples(300), None)  # type: ignore[arg-type]
    assert found is not None and found.heldout.keys == split_for_training(samples(300)).heldout.keys
