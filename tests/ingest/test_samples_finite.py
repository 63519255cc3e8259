"""What has no finite value calibrates nothing and judges nothing."""

from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.ingest.samples import open_samples
from edgeq.nouns.tensor import TensorSpec


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_refused_by_name(tmp_path: Path, value: float) -> None:
    x = np.zeros((4, 1, 3), np.float32)
    x[2, 0, 1] = value
    np.savez(tmp_path / "calib.npz", x=x)
    samples = open_samples(str(tmp_path / "calib.npz"), inputs=(TensorSpec("x", "float32", (1, 3)),))
    with pytest.raises(DataRefused, match="x holds NaN or infinite"):
        samples[2]
