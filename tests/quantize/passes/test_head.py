"""The last layer stays in float where it is cheap and the outputs gain enough."""

import numpy as np
import onnx
from onnx import numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.calibration.array_cache import NO_CACHE
from edgeq.quantize.options import Options
from edgeq.quantize.passes import head
from edgeq.quantize.passes.head import onnx_head
from edgeq.quantize.quantization import Context, Quantization, Written
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, images, residual, saved


def test_a_small_classifier_comes_with_its_pooling(tmp_path):
    saved(residual(channels=32), tmp_path)
    model = read(tmp_path / "net.onnx")
    assert onnx_head(model) == {"scores_Gemm", "flat_Flatten", "pool_GlobalAveragePool"}


def test_a_classifier_with_many_of_the_weights_is_no_head(tmp_path):
    saved(residual(channels=16, classes=100), tmp_path)  # 1,600 of about 11,000 weights
    assert onnx_head(read(tmp_path / "net.onnx")) == frozenset()


class HeadOff:
    """Stands for a backend: a stem that is off by `stem`, and weights of the head that are off by `noise` unless in float."""

    def __init__(self, noise, stem):
        self.noise, self.stem = noise, stem

    def write(self, q, path, in_float=(), *, fitted=True):
        copy = onnx.ModelProto()
        copy.CopyFrom(q.graph)
        stored = {i.name: i for i in copy.graph.initializer}
        off = {"stem.b": self.stem, "head.w": 0.0 if "scores_Gemm" in in_float else self.noise}
        for name, by in off.items():
            changed = numpy_helper.to_array(stored[name]) + np.float32(by)
            stored[name].CopyFrom(numpy_helper.from_array(changed, name))
        onnx.save(copy, str(path))
        return Written(path)


def after_head(model, noise, folder, stem=0.01):
    plan = CandidatePlan("c", "onnxruntime", "int8_static", "onnx", "")
    samples, path = Rows(images(32)), folder / "tried.onnx"
    options = Options(passes={"head"})
    context = Context(
        options, samples, samples, path, HeadOff(noise, stem), no_progress, NO_CACHE, None, None, None
    )
    return head.run(Quantization(plan, "static", 8, folder / "net.onnx", model), context)


def test_float_only_where_the_outputs_gain(tmp_path):
    saved(residual(channels=32), tmp_path)
    model = read(tmp_path / "net.onnx")
    close = after_head(model, 1e-6, tmp_path)
    assert close.in_float == {} and not close.results[0].kept and "dB without" in close.results[0].why
    worth = after_head(model, 0.5, tmp_path)
    found = worth.in_float
    assert worth.results[0].kept and worth.results[0].gain_db > 1
    assert list(found) == sorted(onnx_head(model)) and "% of MACs; output SQNR" in found["scores_Gemm"]


def test_in_int8_where_it_loses_less_than_its_float_layer_costs(tmp_path):
    """The outputs are far off, mostly for the stem's sake."""
    saved(residual(channels=32), tmp_path)
    found = after_head(read(tmp_path / "net.onnx"), 0.008, tmp_path, stem=0.3)
    (result,) = found.results
    assert 0 < result.gain_db < 0.3 and found.in_float == {}
    assert not result.kept and result.why == "in float the outputs do not gain 0.3 dB"
