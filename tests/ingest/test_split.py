import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.ingest.samples import Samples, open_samples
from edgeq.ingest.split import default_calibration, split
from edgeq.nouns.tensor import TensorSpec

INPUT = (TensorSpec("x", "float32", (1, 4)),)


def samples(tmp_path, x, labels=None) -> Samples:
    arrays = {"x": np.asarray(x, np.float32)} | ({} if labels is None else {"labels": np.asarray(labels)})
    np.savez(tmp_path / "d.npz", **arrays)
    return open_samples(str(tmp_path / "d.npz"), inputs=INPUT)


def rows(count):
    return np.arange(count * 4, dtype=np.float32).reshape(count, 4)


@pytest.mark.parametrize(
    ("count", "expected"), [(2, 1), (10, 5), (300, 100), (500, 100), (1000, 200), (9000, 200)]
)
def test_default_is_half_of_few_a_fifth_of_many_and_200_at_most(count, expected):
    assert default_calibration(count) == expected


def test_every_sample_is_on_exactly_one_side(tmp_path):
    s = samples(tmp_path, rows(50))
    parts = split(s)
    assert not parts.same
    assert sorted(parts.calibration.indices + parts.heldout.indices) == list(range(50))


def test_the_order_of_the_samples_does_not_change_who_calibrates(tmp_path):
    forward = split(samples(tmp_path, rows(50)))
    backward = split(samples(tmp_path, rows(50)[::-1]))
    assert set(forward.calibration.keys) == set(backward.calibration.keys)


def test_classes_keep_their_share(tmp_path):
    labels = [0] * 60 + [1] * 30 + [2] * 10
    parts = split(samples(tmp_path, rows(100), labels), calibrate=20)
    assert np.bincount(parts.calibration.labels).tolist() == [12, 6, 2]


def test_equal_samples_never_calibrate_and_judge(tmp_path):
    x = np.repeat(rows(5), 10, axis=0)
    parts = split(samples(tmp_path, x), calibrate=20)
    assert not set(parts.calibration.keys) & set(parts.heldout.keys)
    assert parts.calibration.count and parts.heldout.count


def test_one_sample_does_both_and_says_so(tmp_path):
    parts = split(samples(tmp_path, rows(1)))
    assert parts.same
    assert parts.calibration.count == parts.heldout.count == 1


@pytest.mark.parametrize("calibrate", [0, 10, 11])
def test_a_side_without_samples_is_refused(tmp_path, calibrate):
    with pytest.raises(DataRefused, match="leaves nothing to"):
        split(samples(tmp_path, rows(10)), calibrate=calibrate)
