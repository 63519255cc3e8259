"""ONNX files: plain layers, branches and loops, functions, quantized nodes, open shapes."""

import random
from pathlib import Path

import numpy as np
from onnx import parser

from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from tests.fuzz.messages import changed_message
from tests.fuzz.mutations import changed_bytes

_TEXTS = (
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1,3] x) => (float[1,2] y) <float[3,2] w = {1,2,3,4,5,6}, float[2] b = {1,2}>'
    " { t = MatMul(x, w) u = Add(t, b) y = Relu(u) }",
    '<ir_version: 8, opset_import: ["" : 13]> g (float[N,1,4,4] x) => (float[N,K] y) <float[2,1,3,3] w = '
    "{1,2,3,4,5,6,7,8,9,9,8,7,6,5,4,3,2,1}, int64[2] s = {0,-1}> { t = Conv<pads = [1,1,1,1]>(x, w) u = MaxPool<kernel_shape ="
    " [2,2]>(t) y = Reshape(u, s) }",
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1,3] x) => (float[1,3] y) <int64 n = {3}, bool c = {1}> { y = Loop'
    " (n, c, x) <body = b (int64 i, bool d, float[1,3] v) => (bool e, float[1,3] w) { e = Identity(d) w = Add(v, v) }> }",
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1,3] x) => (float[1,3] y) { m = ReduceMax<keepdims = 0>(x) z = Constant'
    "<value = float {0.0}>() c = Greater(m, z) y = If (c) <then_branch = a () => (float[1,3] p) { p = Relu(x) }, else_branch = b"
    " () => (float[1,3] q) { q = Neg(x) }> }",
    '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[1,3] x) => (float[1,3] y) { y = own.twice(x) }'
    ' <domain: "own", opset_import: ["" : 17, "own" : 1]> twice (x) => (y) { t = own.once(x) y = own.once(t) }'
    ' <domain: "own", opset_import: ["" : 17]> once (x) => (y) { y = Abs(x) }',
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) <float s = {0.1}, int8 z = {0}> { q = '
    "QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
    '<ir_version: 8, opset_import: ["" : 11]> g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1,1,2,2}, float[0] r = '
    '{}> { y = Resize<mode = "linear">(x, r, s) }',
    '<ir_version: 8, opset_import: ["" : 17]> g (float[T,1,3] x) => (float[T,1,1,2] y, float[1,1,2] h) <float[1,8,3] w = {1,2,3,4,'
    "5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}, float[1,8,2] r = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}> { y, h = LSTM<hidden_size = 2>(x, w, r) }",
)


IN_TESTS = 40  # each takes longer than those of other readers


def examples(folder: Path) -> list[bytes]:
    return [parser.parse_model(text).SerializeToString() for text in _TEXTS]


def mutated(example: bytes, rng: random.Random) -> bytes:
    return changed_bytes(example, rng) if rng.random() < 0.1 else changed_message(example, rng)


def read(content: bytes, folder: Path) -> object:
    path = folder / "model.onnx"
    path.write_bytes(content)
    sample = (np.zeros((1, 3), np.float32),)
    return open_model(
        Request(str(path), workdir=folder / "work", example=sample if len(content) % 2 else None)
    )
