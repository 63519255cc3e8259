"""ONNX files in and out, and the versions that they need."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ConversionFailed
from edgeq.graphs.onnx_io import (
    external_locations,
    lower_ir,
    oldest_runtime,
    opset_of,
    read_onnx,
    write_onnx,
)


def model(opset: int = 17, ir: int = 10, *domains: str) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.ones(2, np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def test_a_model_is_written_with_the_oldest_ir_of_its_opset_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "below" / "net.onnx"
    write_onnx(model(17, 10), file)
    found = read_onnx(file)
    assert (found.ir_version, opset_of(found)) == (8, 17)


def test_what_is_no_onnx_is_a_conversion_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(ConversionFailed, match=r"cannot read net\.onnx as ONNX"):
        read_onnx(file)


def test_weights_in_files_of_their_own_are_named_and_left_there(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    onnx.save(model(), str(file), save_as_external_data=True, location="net.data", size_threshold=0)
    found = read_onnx(file, weights=False)
    assert external_locations(found) == ["net.data"]
    assert not found.graph.initializer[0].raw_data
    assert external_locations(read_onnx(file)) == []


def test_lower_ir_drops_domains_that_nothing_uses() -> None:
    found = model(17, 12, "com.microsoft")
    lower_ir(found)
    assert found.ir_version == 8
    assert [o.domain for o in found.opset_import] == [""]


@pytest.mark.parametrize(("opset", "ir", "runtime"), [(17, 8, "1.14"), (21, 10, "1.18"), (25, 13, "1.25")])
def test_the_oldest_runtime_reads_opset_and_ir(opset: int, ir: int, runtime: str) -> None:
    assert oldest_runtime(model(opset, ir)) == runtime


def test_weights_in_blocks_of_8_bits_need_a_newer_runtime() -> None:
    found = model(17, 8)
    found.graph.node.append(helper.make_node("MatMulNBits", ["x"], ["z"], domain="com.microsoft", bits=8))
    assert oldest_runtime(found) == "1.23"
