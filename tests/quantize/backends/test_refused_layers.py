"""A layer that the quantizer or the runtime refuses stays in float by name; the others are quantized."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from edgeq.errors import ConversionFailed
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.backends.refused_layers import refused_layers
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from tests.quantize.networks import Rows

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("bad", [(), ("a",), ("e", "f"), ("a", "d", "h")])
def test_halves_find_each_of_them(bad):
    tries = 0

    def attempt(in_float):
        nonlocal tries
        tries += 1
        if set(bad) - in_float:
            raise ConversionFailed(
                "the quantizer refused the graph", details=("ValueError: a bias of 2 axes",)
            )

    found = refused_layers("abcdefgh", attempt)
    assert found == dict.fromkeys(bad, "the quantizer refused the graph: a bias of 2 axes")
    assert tries <= 1 + 6 * len(bad)


def test_layers_that_fail_only_together_are_not_blamed():
    def attempt(in_float):
        if not {"a", "d"} & in_float:
            raise ConversionFailed("no")

    assert refused_layers("abcd", attempt) == {}


def _model(tmp_path, gemm):
    """As no ingest hands it over: forms that onnxruntime's quantizer trips over."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[8, 16] x) => (float[8, 16] y) {{
        a = Gemm (x, w1, b1)
        r = Relu (a)
        {gemm}
        y = Gemm (u, w2, b1)
    }}"""
    model = parser.parse_model(text)
    for k, node in enumerate(model.graph.node):
        node.name = dict(enumerate(("first", "relu", "odd"))).get(k, f"node_{k}")
    shapes = {"w1": (16, 16), "w2": (16, 16), "k": (16, 16), "b1": (16,), "c": (8, 16), "stack": (1, 16, 16)}
    for name, shape in shapes.items():
        values = (RNG.standard_normal(shape) / 4).astype("f")
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
    onnx.save(model, tmp_path / "net.onnx")
    spec = TensorSpec("x", "float32", (8, 16)), TensorSpec("y", "float32", (8, 16))
    return Model(
        "net", "net.onnx", "onnx", "0" * 64, spec[:1], spec[1:], 1, {"onnx": str(tmp_path / "net.onnx")}
    )


@pytest.mark.parametrize(
    ("recipe", "gemm"),
    [
        ("int8_static", "u = Gemm (r, k, c)"),
        ("int8_dynamic", "s = MatMul (r, stack) u = Squeeze (s, first)"),
    ],
)
def test_the_network_keeps_its_recipe(recipe, gemm, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeq.quantize.backends.ort.dynamic.without_kernel", lambda graph: {})

    class Matrices(Rows):
        def __getitem__(self, i):
            return (self.rows[i],)

    rows = RNG.standard_normal((40, 8, 16)).astype("f")
    found = make(
        CandidatePlan(
            f"onnxruntime-{recipe}", "onnxruntime", recipe, "onnx", "", Scheme("uint8", "int8", True)
        ),
        _model(tmp_path, gemm),
        Matrices(rows[:20]),
        Matrices(rows[20:], sha256="h" * 64),
        same_samples=False,
        gate=Gate(),
        workdir=tmp_path / "work",
    )
    assert found.fidelity.passed and found.fidelity.outputs[0].sqnr_db > 25
    assert sum(a.integer for a in found.fidelity.fusion) == 2
    (left,) = (s for s in found.fidelity.float_layers if s.what == "odd")
    assert "refused the graph" in left.reason or "does not run" in left.reason
