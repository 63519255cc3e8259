"""A trained GRU keeps its accuracy, split into int8 products or with weights stored as int8."""

from functools import cache

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.passes.recurrent import rnn_lowering
from tests.quantize.networks import Rows, model_of, saved

STEPS, INPUTS, UNITS, CLASSES = 12, 9, 48, 8


class Sequences(Rows):
    def __getitem__(self, i):
        return (self.rows[i][:, None, :],)


def sequences(count, seed):
    """Noise with one of eight marks at an early step, which the ninth input flags; then noise to the end."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(scale=0.3, size=(count, STEPS, INPUTS)).astype(np.float32)
    rows[:, :, -1] = 0
    labels, when = rng.integers(0, CLASSES, count), rng.integers(0, STEPS // 2, count)
    rows[np.arange(count), when, labels] += 2
    rows[np.arange(count), when, -1] = 1
    return Sequences(rows, labels, sha256=f"{seed:064d}")


@cache
def trained():
    """(GRU, last layer) in torch, in two or three seconds."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network is slower on more
    gru, head = torch.nn.GRU(INPUTS, UNITS, batch_first=True), torch.nn.Linear(UNITS, CLASSES)
    optimizer = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=0.02)
    for step in range(150):
        batch = sequences(64, seed=1000 + step)
        scores = head(gru(torch.from_numpy(batch.rows))[1][0])
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(batch.labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return gru, head


def onnx_of(gru, head):
    """torch has the gates in the order r, z, n, and adds the bias of the candidate before the reset gate."""

    def gates(tensor):
        r, z, n = np.split(tensor.detach().numpy(), 3)
        return np.concatenate([z, r, n])

    bias = np.concatenate([gates(gru.bias_ih_l0), gates(gru.bias_hh_l0)])
    arrays = {
        "w": gates(gru.weight_ih_l0)[None],
        "r": gates(gru.weight_hh_l0)[None],
        "b": bias[None],
        "head": head.weight.detach().numpy(),
        "shift": head.bias.detach().numpy(),
        "axis": np.array([0]),
    }
    nodes = [
        helper.make_node(
            "GRU",
            ["x", "w", "r", "b"],
            ["", "h"],
            name="cell",
            hidden_size=gru.hidden_size,
            linear_before_reset=1,
        ),
        helper.make_node("Squeeze", ["h", "axis"], ["last"], name="squeeze"),
        helper.make_node("Gemm", ["last", "head", "shift"], ["y"], name="head", transB=1),
    ]
    weights = [numpy_helper.from_array(a, n) for n, a in arrays.items()]
    return model_of(nodes, weights, [("x", (STEPS, 1, INPUTS))], [("y", (1, CLASSES))])


@pytest.mark.parametrize(
    ("fewest", "integer", "remedies", "left"),
    [
        (49, {"GRU": (0, 1), "MatMul": (1, 1)}, [], ["GRU: cell"]),
        (48, {"MatMul": (3, 3)}, ["GRU: cell"], []),
    ],
    ids=["stored", "split"],
)
def test_it_keeps_its_accuracy_with_int8_weights(tmp_path, monkeypatch, fewest, integer, remedies, left):
    monkeypatch.setattr(rnn_lowering, "_FEWEST_UNITS", fewest)
    model = saved(onnx_of(*trained()), tmp_path)
    plan = CandidatePlan("onnxruntime-int8_dynamic", "onnxruntime", "int8_dynamic", "onnx", "a test")
    found = make(
        plan, model, None, sequences(400, 1), same_samples=False, gate=Gate(), workdir=tmp_path / "w"
    )
    judged = found.fidelity
    assert judged.accuracy.float_score > 95
    assert judged.accuracy.difference > -1
    assert judged.passed
    assert {a.operator: (a.integer, a.total) for a in judged.fusion} == integer
    assert [r.what for r in judged.remedies] == remedies
    assert [s.what for s in judged.float_layers] == left
    kept = {
        t.data_type
        for s in index_of(onnx.load(found.path).graph).scopes()
        for t in s.constants.values()
        if _big(t)
    }
    assert kept == {TensorProto.INT8}


def _big(tensor):
    return np.prod(tensor.dims) > 8 * UNITS
