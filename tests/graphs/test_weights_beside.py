"""Sessions of large models, whose weights onnxruntime maps from a file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.ort_session import optimized, ort_session
from edgeq.graphs.weightless import weightless
from edgeq.graphs.weights_beside import written_beside
from tests.quantize.networks import model_of

X = np.random.default_rng(0).normal(size=(1, 1500)).astype(np.float32)


@pytest.fixture(scope="module")
def large() -> onnx.ModelProto:
    """Two layers with 9 MB of weights each, behind one that is folded."""
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=(1500, 1500)).astype(np.float32) for name in ("v", "w")}
    stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    stored.append(numpy_helper.from_array(rng.normal(size=1500).astype(np.float32), "b"))
    nodes = [
        onnx.helper.make_node("Gemm", ["x", "v", "b"], ["h"]),
        onnx.helper.make_node("Relu", ["h"], ["r"]),
        onnx.helper.make_node("Identity", ["w"], ["same"]),
        onnx.helper.make_node("MatMul", ["r", "same"], ["y"]),
    ]
    return model_of(nodes, stored, [("x", (1, 1500))], [("y", (1, 1500))])


@pytest.fixture(params=["in memory", "in a file", "with external data"])
def form(
    request: pytest.FixtureRequest, large: onnx.ModelProto, tmp_path: Path
) -> Iterator[onnx.ModelProto | Path]:
    if request.param == "in memory":
        yield large
    else:
        file = tmp_path / "net.onnx"
        apart = request.param == "with external data"
        onnx.save(copied(large), str(file), save_as_external_data=apart, location="net.data")
        yield file


@pytest.mark.parametrize("optimize", [True, False])
def test_a_large_model_gives_what_its_bytes_give(
    large: onnx.ModelProto, form: onnx.ModelProto | Path, optimize: bool
) -> None:
    expected = ort_session(large.SerializeToString(), threads=1, optimize=optimize).run(None, {"x": X})
    found = ort_session(form, threads=1, optimize=optimize).run(None, {"x": X})
    assert np.array_equal(found[0], expected[0])


@pytest.mark.parametrize("size", [1500, 200])
def test_a_weightless_graph_is_given_the_weights_of_a_model(size: int) -> None:
    weights = numpy_helper.from_array(np.full((size, size), 0.5, np.float32), "w")
    model = model_of(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        [weights],
        [("x", (1, size))],
        [("y", (1, size))],
    )
    session = ort_session(weightless(model), threads=1, weights=model)
    found = session.run(None, {"x": np.ones((1, size), np.float32)})
    np.testing.assert_allclose(found[0], np.full((1, size), 0.5 * size))


def test_an_optimized_graph_has_its_weights_again(large: onnx.ModelProto) -> None:
    whole = optimized(large, "basic")
    assert whole == optimized(large.SerializeToString(), "basic")
    assert {t.name for t in whole.graph.initializer if len(t.raw_data) == 4 * 1500**2} == {"v", "w"}
    structure = optimized(large, "basic", weights=False)
    assert structure.ByteSize() < 10_000
    assert [n.op_type for n in structure.graph.node] == [n.op_type for n in whole.graph.node]


def test_of_a_large_model_the_graph_alone_is_parsed(large: onnx.ModelProto, tmp_path: Path) -> None:
    path = written_beside(large, tmp_path)
    assert path is not None
    assert path.stat().st_size < 10_000
    assert onnx.load(str(path)).graph.initializer[1].raw_data == large.graph.initializer[1].raw_data


def test_a_small_model_is_opened_as_it_is(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((200, 200), np.float32), "w")
    small = model_of(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], [weights], [("x", (1, 200))], [("y", (1, 200))]
    )
    assert written_beside(small, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
