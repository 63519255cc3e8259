"""Graphs whose large weights are left out of copies, of shape inference, and of what is read from a file."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ConversionFailed
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.weightless import LARGE_BYTES, digest, infer_shapes, weightless
from edgeq.graphs.weights_in_file import read_weightless
from tests.quantize.networks import model_of

WEIGHTS = np.random.default_rng(0).normal(size=(256, 128)).astype(np.float32)


@pytest.fixture
def network() -> onnx.ModelProto:
    """A product by a large matrix, reshaped as a small constant says, with a body inside."""
    stored = [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(np.array([4, -1]), "shape")]
    branch = helper.make_graph(
        [helper.make_node("Neg", ["r"], ["n"]), helper.make_node("Neg", ["n"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Reshape", ["p", "shape"], ["r"]),
        helper.make_node("Cast", ["first"], ["chosen"], to=TensorProto.BOOL),
        helper.make_node("If", ["chosen"], ["y"], then_branch=branch, else_branch=branch),
    ]
    stored.append(numpy_helper.from_array(np.float32(1.0), "first"))
    return model_of(nodes, stored, [("x", (1, 256))], [("y", (4, 32))])


def test_a_weightless_copy_has_all_but_the_values_of_large_weights(network: onnx.ModelProto) -> None:
    whole = network.SerializeToString(deterministic=True)
    copy = weightless(network)
    assert copy.ByteSize() < WEIGHTS.nbytes / 10
    copy.graph.initializer[0].raw_data = WEIGHTS.tobytes()
    assert copy.SerializeToString(deterministic=True) == whole
    assert network.SerializeToString(deterministic=True) == whole


def test_shapes_are_inferred_as_onnx_does_and_weights_stay(network: onnx.ModelProto) -> None:
    expected = onnx.shape_inference.infer_shapes(network, data_prop=True)
    infer_shapes(network)
    assert network == expected
    assert "n" in {v.name for v in network.graph.node[3].attribute[0].g.value_info}


def test_the_digest_is_of_graph_and_weights(network: onnx.ModelProto) -> None:
    before = digest(network)
    assert digest(copied(network)) == before
    network.graph.initializer[0].raw_data = (WEIGHTS + 1).tobytes()
    assert digest(network) != before
    network.graph.initializer[0].raw_data = WEIGHTS.tobytes()
    assert digest(network) == before
    network.graph.node[0].name = "other"
    assert digest(network) != before


def test_what_is_read_of_a_file_says_where_its_weights_lie(network: onnx.ModelProto, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    onnx.save(network, str(file))
    found = read_weightless(file)
    weights = found.graph.initializer[0]
    place = {entry.key: entry.value for entry in weights.external_data}
    start, length = int(place["offset"]), int(place["length"])
    assert file.read_bytes()[start : start + length] == WEIGHTS.tobytes()
    onnx.external_data_helper.load_external_data_for_model(found, str(tmp_path))
    weights.ClearField("data_location")  # onnx writes that it is the usual one
    assert found == network


@pytest.mark.parametrize("field", ["float_data", "external"])
def test_weights_that_are_not_raw_bytes_are_read_as_they_are(field: str, tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(WEIGHTS, "w")
    if field == "float_data":
        tensor.ClearField("raw_data")
        tensor.float_data.extend(WEIGHTS.ravel())
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], [tensor], [("x", (1, 256))], [("y", (1, 128))]
    )
    file = tmp_path / "net.onnx"
    onnx.save(model, str(file), save_as_external_data=field == "external", location="net.data")
    assert read_weightless(file) == onnx.load(str(file), load_external_data=False)


@pytest.mark.parametrize(
    "content", [b"", b"no model", b"\x3a\xff\xff\xff\xff\x0f" + bytes(8), b"\x3a" + b"\xff" * 20]
)
def test_what_is_no_onnx_is_a_conversion_that_failed(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    with pytest.raises(ConversionFailed, match=r"cannot read net\.onnx as ONNX"):
        read_weightless(file)


def test_constants_that_shapes_follow_from_are_not_large() -> None:
    assert np.zeros(1024, np.int64).nbytes < LARGE_BYTES
