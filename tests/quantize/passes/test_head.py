"""The last layer stays in float where it is cheap and the outputs gain."""

import numpy as np
import onnx
from onnx import numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.quantize.passes.head import onnx_head, onnx_head_in_float
from tests.quantize.networks import Rows, images, residual, saved


def test_a_small_classifier_comes_with_its_pooling(tmp_path):
    saved(residual(channels=32), tmp_path)
    model = read(tmp_path / "net.onnx")
    assert onnx_head(model) == {"scores_Gemm", "flat_Flatten", "pool_GlobalAveragePool"}


def test_a_classifier_with_many_of_the_weights_is_no_head(tmp_path):
    saved(residual(channels=16, classes=100), tmp_path)  # 1,600 of about 11,000 weights
    assert onnx_head(read(tmp_path / "net.onnx")) == frozenset()


def test_float_only_where_the_outputs_gain(tmp_path):
    saved(residual(channels=32), tmp_path)
    model, samples = read(tmp_path / "net.onnx"), Rows(images(8))
    path = tmp_path / "tried.onnx"

    def emit_with(noise):
        """Stands for an emitter: weights of the head off by `noise` unless it is left in float."""

        def emit(leave):
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            head = next(i for i in copy.graph.initializer if i.name == "head.w")
            off = numpy_helper.to_array(head) + (0 if "scores_Gemm" in leave else np.float32(noise))
            stem = next(i for i in copy.graph.initializer if i.name == "stem.b")
            stem.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stem) + np.float32(0.01), "stem.b"))
            head.CopyFrom(numpy_helper.from_array(off, "head.w"))
            onnx.save(copy, str(path))

        return emit

    close = onnx_head_in_float(model, path, emit_with(1e-6), samples, 1)
    assert close.in_float == {} and not close.result.kept and "dB without" in close.result.why
    worth = onnx_head_in_float(model, path, emit_with(0.5), samples, 1)
    found = worth.in_float
    assert worth.result.kept and worth.result.gain_db > 1
    assert list(found) == sorted(onnx_head(model)) and "% of MACs; output SQNR" in found["scores_Gemm"]
