"""The pass hands the calibrator what the candidate's activations are."""

from types import SimpleNamespace

import numpy as np
import pytest

from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.calibration.array_cache import NO_CACHE
from edgeq.quantize.options import Options
from edgeq.quantize.passes import ranges
from edgeq.quantize.quantization import Quantization
from edgeq.quantize.run_model import no_progress
from edgeq.quantize.stopwatch import Stopwatch
from tests.quantize.networks import Rows


def test_int16_activations_are_clipped_as_their_65536_levels_ask_for(tmp_path):
    """Where 256 levels cut off the tails of a Laplace distribution, 65,536 keep nearly all."""
    pytest.importorskip("ai_edge_litert")
    from tests.quantize.tflite_networks import convolution

    source = convolution(tmp_path / "net.tflite")
    rows = np.random.default_rng(0).laplace(size=(16, 16, 16, 16)).astype(np.float32)
    context = SimpleNamespace(
        calibration=Rows(rows), options=Options(calibrator="mse"), threads=1, progress=no_progress, cache=NO_CACHE,
        path=tmp_path / "int.tflite", stopwatch=Stopwatch(),
    )  # fmt: skip

    def share_of_extremes(activations):
        plan = CandidatePlan("c", "litert", "r", "tflite", "a test", Scheme(activations, "int8", True))
        found = ranges.run(Quantization(plan, "static", 8, source), context).ranges["x"]
        return found[1] / rows.max()

    assert share_of_extremes("int8") < 0.9 and share_of_extremes("int16") > 0.95
