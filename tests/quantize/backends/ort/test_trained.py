"""The file of a trained network for each kind of integers: the same values, and what has to change is reported."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dataclasses import replace  # noqa: E402

from edgeq.graphs.onnx_io import read_onnx, write_onnx  # noqa: E402
from edgeq.nouns.plan import CandidatePlan, Scheme  # noqa: E402
from edgeq.quantize.backends.ort.trained import OrtTrained  # noqa: E402
from edgeq.quantize.passes.int16_saturation import saturating_pairs  # noqa: E402
from edgeq.quantize.quantization import Quantization, Written  # noqa: E402
from tests.train.residual_network import S8, U8, network, quantized, weights_of  # noqa: E402

HEADROOM = replace(U8, pairs_fit=True)


def written(tmp_path: Path, scheme: Scheme) -> Written:
    trained = tmp_path / "trained.onnx"
    write_onnx(quantized(network(), S8), trained)
    plan = CandidatePlan("c", "onnxruntime", "trained_static", "onnx", "", scheme=scheme)
    q = Quantization(plan, "trained", 8, tmp_path / "net.onnx", trained=trained)
    return OrtTrained().write(q, tmp_path / "model.onnx")


@pytest.mark.parametrize("scheme", [S8, U8], ids=["S8", "U8"])
def test_weights_are_those_that_were_trained(tmp_path: Path, scheme: Scheme) -> None:
    file = written(tmp_path, scheme)
    assert file.changes == ()
    before, after = weights_of(quantized(network(), S8)), weights_of(read_onnx(file.path))
    for name in ("stem.w_quantized", "first.w_quantized", "second.w_scale", "dense.b_quantized"):
        assert np.array_equal(before[name], after[name])
    assert str(after["x_zero_point"].dtype) == scheme.activations


def test_pairs_that_would_overflow_are_clamped_and_reported(tmp_path: Path) -> None:
    assert sum(saturating_pairs(written(tmp_path, U8).path).values()) > 0
    file = written(tmp_path, HEADROOM)
    assert sum(saturating_pairs(file.path).values()) == 0
    (change,) = file.changes
    assert "clamped so that sums fit into 16 bits" in change.how and "another target" in change.how
