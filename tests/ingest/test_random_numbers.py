"""A network that draws random numbers is refused by the operator's name, whatever form it comes in."""

import numpy as np
import onnx
import pytest
from onnx import parser

from edgeq.errors import ModelRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request


def opened(tmp_path, body, shape="1, 64"):
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[{shape}] x) => (float[{shape}] y) {{ {body} }}'
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    return open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))


DRAWING = {
    "RandomNormalLike 'n'": "n = RandomNormalLike (x) y = Add (x, n)",
    "RandomUniformLike 'n'": "n = RandomUniformLike <seed = 3.0> (x) y = Mul (x, n)",
    "RandomNormal 'n'": "n = RandomNormal <shape = [1, 64]> () y = Add (x, n)",
    "RandomUniform 'n'": "n = RandomUniform <shape = [64]> () y = Add (x, n)",
    "Bernoulli 'n'": "p = Sigmoid (x) n = Bernoulli (p) y = Mul (x, n)",
    "Multinomial 'n'": "n = Multinomial <sample_size = 64> (x) f = Cast <to = 1> (n) y = Add (x, f)",
    "Dropout 'y'": "r = Constant <value_float = 0.5> () t = Constant <value = bool {1}> () y = Dropout (x, r, t)",
}


@pytest.mark.parametrize("named", DRAWING)
def test_onnx(named, tmp_path):
    with pytest.raises(ModelRefused) as refused:
        opened(tmp_path, DRAWING[named])
    assert f"the model draws random numbers ({named})" in refused.value.what
    wanted = "model.eval()" if named.startswith("Dropout") else "make the noise a model input"
    assert wanted in refused.value.remedy


def test_inside_a_branch(tmp_path):
    body = """s = ReduceSum <keepdims = 0> (x) z = Constant <value = float {9999.0}> () c = Less (s, z)
        y = If (c) <then_branch = t () => (float[1, 64] a) { n = RandomNormalLike (x) a = Add (x, n) },
                    else_branch = e () => (float[1, 64] b) { b = Neg (x) }>"""
    with pytest.raises(ModelRefused, match="RandomNormalLike 'n'"):
        opened(tmp_path, body)


UNHEARD = {
    "times zero": "n = RandomNormalLike (x) z = Constant <value = float {0.0}> () m = Mul (n, z) y = Add (x, m)",
    "only its shape": "n = RandomNormalLike (x) s = Shape (n) y = Reshape (x, s)",
    "dropout for inference": "y = Dropout (x)",
    "dropout of nothing": "r = Constant <value_float = 0.0> () t = Constant <value = bool {1}> () y = Dropout (x, r, t)",
}


@pytest.mark.parametrize("name", UNHEARD)
def test_what_no_output_hears_of_is_taken(name, tmp_path):
    assert opened(tmp_path, UNHEARD[name]).outputs[0].shape == (1, 64)


TORCH = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.conv, self.end, self.rest = nn.Conv2d(3, 8, 3), end, nn.Dropout(0.5)
    def forward(self, x):
        return self.end(self.rest(self.conv(x)))

def noise(): return Net(lambda z: z + torch.randn_like(z))
def uniform(): return Net(lambda z: z * torch.rand(1))
def dropout(): return Net(lambda z: F.dropout(z, 0.3, training=True))
def bernoulli(): return Net(lambda z: z * torch.bernoulli(torch.sigmoid(z)))
def quiet(): return Net(lambda z: z + 0 * torch.randn_like(z))

class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.runs = 0
    def forward(self, x):
        self.runs += 1
        return x * self.runs
"""


@pytest.mark.parametrize(
    ("factory", "operator"),
    [("noise", "randn_like"), ("uniform", "rand"), ("dropout", "dropout"), ("bernoulli", "bernoulli")],
)
def test_torch_is_compared_with_itself_first(factory, operator, tmp_path):
    (tmp_path / "net.py").write_text(TORCH)
    with pytest.raises(ModelRefused) as refused:
        open_model(
            Request(f"{tmp_path}/net.py:{factory}", workdir=tmp_path / "w", shapes={"x": (1, 3, 8, 8)})
        )
    assert f"the model draws random numbers ({operator})" in refused.value.what


def test_torch_whose_outputs_hear_nothing_of_it_is_taken(tmp_path):
    (tmp_path / "net.py").write_text(TORCH)
    model = open_model(
        Request(f"{tmp_path}/net.py:quiet", workdir=tmp_path / "w", shapes={"x": (1, 3, 8, 8)})
    )
    assert model.outputs[0].shape == (1, 8, 6, 6)


def test_torch_that_changes_from_run_to_run_is_refused_without_blaming_the_converter(tmp_path):
    (tmp_path / "net.py").write_text(TORCH)
    with pytest.raises(ModelRefused, match="gives different outputs for the same input"):
        open_model(Request(f"{tmp_path}/net.py:Counts", workdir=tmp_path / "w", shapes={"x": (1, 4)}))


def test_tflite(tmp_path):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    from tests.quantize.tflite_networks import write

    path = write(
        tmp_path / "m.tflite",
        {"x": (1, 8), "n": (1, 8), "y": (1, 8)},
        {"size": np.array([1, 8], np.float32)},
        [
            ("RANDOM_UNIFORM", schema.RandomOptionsT(), ["size"], "n"),
            ("ADD", schema.AddOptionsT(), ["x", "n"], "y"),
        ],
        ("x",),
        ("y",),
    )
    _integers(path, "size", np.array([1, 8], np.int32))
    with pytest.raises(ModelRefused, match="draws random numbers \\(RANDOM_UNIFORM\\)"):
        open_model(Request(str(path), workdir=tmp_path / "w", formats=("tflite",)))


def _integers(path, name, values):
    """The constant `name` of a .tflite file as int32."""
    from edgeq.graphs.tflite import packed, read_model

    model = read_model(path)
    tensor = next(t for t in model.subgraphs[0].tensors if t.name.decode() == name)
    tensor.type = 2
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    path.write_bytes(packed(model))
