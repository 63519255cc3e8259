"""What decides classes and truths is the floats that they are made of."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.quantize.decisive import decisive_of, ending_at
from edgeq.quantize.float_graph import read
from edgeq.quantize.gate import Gate
from edgeq.quantize.make import make
from tests.quantize.networks import STATIC, Rows, saved


def ending_in(kind, made, attributes, extra=()):
    """A matrix product and `kind` behind it."""
    weights = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w"], ["scores"], "product"),
                helper.make_node(kind, ["scores", *extra], ["y"], "end", **attributes),
            ],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
            [helper.make_tensor_value_info("y", made, None)],
            [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32(0), "zero")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


ENDS = [
    ("ArgMax", TensorProto.INT64, {"axis": 1}, ()),
    ("Greater", TensorProto.BOOL, {}, ("zero",)),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[0])
def test_what_decides_a_class_or_a_truth(end, tmp_path):
    saved(ending_in(*end), tmp_path)
    model = read(tmp_path / "net.onnx")
    (decides,) = decisive_of(model)
    assert decides.output == "scores"
    assert [o.name for o in ending_at(model, (decides,)).graph.output] == ["scores"]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[0])
def test_a_model_that_gives_only_such_is_quantized(end, tmp_path):
    model = saved(ending_in(*end), tmp_path)
    rows = np.random.default_rng(1).normal(size=(60, 8)).astype(np.float32)
    found = make(
        STATIC,
        model,
        Rows(rows[:40]),
        Rows(rows[40:], sha256="h" * 64),
        same_samples=False,
        gate=Gate(min_sqnr_db=5.0),
        workdir=tmp_path / "work",
    )
    assert found.fidelity.passed
    assert [(a.operator, a.integer, a.total) for a in found.fidelity.fusion] == [("MatMul", 1, 1)]
