"""The bits of each layer, read from the file: types, levels that are used, and whether activations are quantized."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.parser import parse_model

from edgeq.graphs.layer_bits import layer_bits
from edgeq.nouns.model_summary import LayerBits

RNG = np.random.default_rng(0)


def written(folder: Path, body: str, **stored: np.ndarray) -> Path:
    model = parse_model(f'<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>\n{body}')
    model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in stored.items())
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def levels(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """int8 that takes `count` values."""
    return RNG.permutation(np.arange(np.prod(shape)) % count).reshape(shape).astype(np.int8) - count // 2


def qdq(folder: Path, weights: np.ndarray, clip: str = "") -> LayerBits:
    """One convolution in QDQ format, `clip` between the pair of its input."""
    quantized = "c" if clip else "q"
    path = written(
        folder,
        f"""net (float[1, 8, 6, 6] x) => (float[1, 16, 4, 4] y) {{
            q = QuantizeLinear(x, s, z)
            {clip}
            d = DequantizeLinear({quantized}, s, z)
            w = DequantizeLinear<axis: int = 0>(wq, ws, wz)
            y = Conv(d, w)
        }}""",
        s=np.float32(0.1),
        z=np.uint8(0),
        wq=weights,
        ws=np.full(16, 0.1, np.float32),
        wz=np.zeros(16, np.int8),
        low=np.uint8(0),
        high=np.uint8(15),
    )
    (layer,) = layer_bits(path)
    return layer


def test_int8_weights_and_activations(tmp_path: Path) -> None:
    layer = qdq(tmp_path, RNG.integers(-127, 128, (16, 8, 3, 3), np.int8))
    assert layer.integer and not layer.dynamic
    assert (layer.operator, layer.parameters) == ("Conv", 16 * 8 * 9)
    assert (layer.weights, layer.weight_bits, layer.activations, layer.activation_bits) == (
        "int8",
        8,
        "uint8",
        8,
    )


@pytest.mark.parametrize(
    ("count", "bits"), [(2, 1), (3, 2), (4, 2), (7, 3), (15, 4), (16, 4), (64, 6), (65, 8)]
)
def test_weights_on_few_levels_use_fewer_bits(tmp_path: Path, count: int, bits: int) -> None:
    layer = qdq(tmp_path, levels(count, (16, 8, 3, 3)))
    assert (layer.weights, layer.weight_bits) == ("int8", bits)


def test_each_output_may_have_a_codebook_of_its_own(tmp_path: Path) -> None:
    """Of eight levels, which are others for each: all together are more than a hundred."""
    rng = np.random.default_rng(0)
    books = rng.integers(-127, 128, (16, 8)).astype(np.int8)
    weights = np.take_along_axis(books, rng.integers(0, 8, (16, 72)), 1).reshape(16, 8, 3, 3)
    assert len(np.unique(weights)) > 64
    assert qdq(tmp_path, weights).weight_bits == 3


def test_a_few_weights_say_nothing_of_their_levels(tmp_path: Path) -> None:
    assert qdq(tmp_path, levels(64, (16, 8, 1, 1))).weight_bits == 8


def test_a_clip_behind_the_quantization_leaves_fewer_levels(tmp_path: Path) -> None:
    layer = qdq(tmp_path, levels(15, (16, 8, 3, 3)), clip="c = Clip(q, low, high)")
    assert (layer.activations, layer.activation_bits) == ("uint8", 4)


def test_float_and_float16(tmp_path: Path) -> None:
    body = """net (float[1, 4] x) => (float[1, 8] y) {
        h = Cast<to: int = 10>(x)
        k = MatMul(h, half)
        f = Cast<to: int = 1>(k)
        y = Gemm(f, w)
    }"""
    weights = {"half": np.ones((4, 8), np.float16), "w": np.ones((8, 8), np.float32)}
    half, whole = layer_bits(written(tmp_path, body, **weights))
    assert (half.weights, half.weight_bits, half.activation_bits) == ("float16", 16, 16)
    assert (whole.weights, whole.weight_bits, whole.activations) == ("float32", 32, "float32")
    assert not half.integer and not whole.integer


def test_weights_behind_a_transpose_and_in_front(tmp_path: Path) -> None:
    body = """net (float[4, 3] x) => (float[8, 3] y) {
        w = DequantizeLinear(wq, s)
        t = Transpose<perm: ints = [1, 0]>(w)
        y = MatMul(t, x)
    }"""
    (layer,) = layer_bits(written(tmp_path, body, wq=levels(100, (4, 8)), s=np.float32(0.1)))
    assert (layer.weights, layer.activations, layer.parameters) == ("int8", "float32", 32)


def test_a_product_of_two_activations_is_no_layer(tmp_path: Path) -> None:
    body = "net (float[4, 4] x, float[4, 4] z) => (float[4, 4] y) { y = MatMul(x, z) }"
    assert layer_bits(written(tmp_path, body)) == ()


def test_dynamic_int8_and_blocks_of_four_bits(tmp_path: Path) -> None:
    body = """net (float[1, 32] x) => (float[1, 16] y) {
        h = com.microsoft.DynamicQuantizeMatMul(x, w, s)
        y = com.microsoft.MatMulNBits<K: int = 32, N: int = 16, bits: int = 4, block_size: int = 32>(h, b, bs)
    }"""
    stored = {"w": levels(100, (32, 32)), "s": np.float32(0.1)}
    stored |= {"b": np.zeros((16, 1, 16), np.uint8), "bs": np.ones(16, np.float32)}
    dynamic, blocks = layer_bits(written(tmp_path, body, **stored))
    assert dynamic.integer and dynamic.dynamic and dynamic.activations == "uint8"
    assert (blocks.weights, blocks.weight_bits, blocks.parameters) == ("int4", 4, 512)
    assert blocks.activations == "float32" and not blocks.integer


def test_a_table_that_is_looked_up(tmp_path: Path) -> None:
    body = """net (int64[1, 3] x) => (float[1, 3, 64] y) {
        t = DequantizeLinear(tq, s)
        y = Gather(t, x)
    }"""
    (table,) = layer_bits(written(tmp_path, body, tq=levels(200, (100, 64)), s=np.float32(0.1)))
    assert (table.operator, table.weights, table.activations, table.integer) == ("Gather", "int8", "", False)


def test_layers_inside_of_a_body(tmp_path: Path) -> None:
    body = """net (bool c, float[1, 4] x) => (float[1, 8] y) {
        y = If(c) <
            then_branch = yes () => (float[1, 8] a) { a = MatMul(x, w) },
            else_branch = no () => (float[1, 8] b) { b = MatMul(x, w) }
        >
    }"""
    layers = layer_bits(written(tmp_path, body, w=np.ones((4, 8), np.float32)))
    assert [layer.layer for layer in layers] == ["a", "b"]
