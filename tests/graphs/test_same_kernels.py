"""Files that differ in values alone run the same kernels."""

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from edgeq.errors import ConversionFailed
from edgeq.graphs.same_kernels import kernels_of
from tests.quantize.networks import model_of


def dense(weight: np.ndarray, **attributes: int) -> bytes:
    node = helper.make_node("Gemm", ["x", "w"], ["y"], name="dense", **attributes)
    made: ModelProto = model_of(
        [node], [numpy_helper.from_array(weight, "w")], [("x", (1, 200))], [("y", (1, 200))]
    )
    return made.SerializeToString()


def test_other_values_are_the_same_kernels_and_other_types_shapes_and_attributes_are_not() -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.normal(size=(200, 200)).astype(np.float32) for _ in range(2))
    assert kernels_of(dense(one), "onnx") == kernels_of(dense(two), "onnx")
    others = (
        dense(one.astype(np.float16)),
        dense(one[:, :100]),
        dense(one, transB=1),
    )
    assert len({kernels_of(file, "onnx") for file in (dense(one), *others)}) == 4


def test_tflite_files_too(tmp_path) -> None:
    from tests.quantize import tflite_networks

    file = tflite_networks.convolution(tmp_path / "net.tflite").read_bytes()
    found = kernels_of(file, "tflite")
    weights = max((i for i in range(len(file) - 64)), key=lambda i: len(set(file[i : i + 64])))
    changed = bytearray(file)
    changed[weights + 2] ^= 1  # in the middle of what looks most like weights
    assert kernels_of(bytes(changed), "tflite") == found


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConversionFailed):
        kernels_of(b"\xff\xff\xff no model", "onnx")
