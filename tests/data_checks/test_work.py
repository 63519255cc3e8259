"""How many samples are looked at follows from the sizes of model and samples, and not from how busy the machine is."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from edgeq.data_checks.evidence import begin
from edgeq.data_checks.work import Cost, Work, cost_of
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.given_data import given_data
from edgeq.ingest.graph.float_run import float_model
from edgeq.ingest.samples import Samples, open_samples
from edgeq.nouns.tensor import TensorSpec

SPEC = TensorSpec("x", "float32", (1, 3, 8, 8))


@pytest.fixture
def model(tmp_path: Path) -> FloatModel:
    """A convolution 3x3 from 3 to 4 channels: 6 * 6 * 4 * 27 multiply-adds."""
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SPEC.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 6, 6))],
        [weight],
    )
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    outputs = (TensorSpec("y", "float32", (1, 4, 6, 6)),)
    return float_model(tmp_path / "m.onnx", (SPEC,), outputs, quantized=False)


def samples(count: int = 100) -> Samples:
    return open_samples(given_data(np.zeros((count, 3, 8, 8), np.float32)), inputs=(SPEC,))


def test_samples_are_read_until_their_estimated_work_is_spent(model: FloatModel) -> None:
    evidence = begin(samples(), model, Cost(read=0.01, run=0.04), Work.of(3.0))
    evidence.read_until(64, evidence.work.part(0.5))
    assert evidence.count == 30
    assert evidence.work.left == pytest.approx(1.5)
    evidence.read_until(100)
    assert evidence.count == 60


def test_one_sample_is_always_read_and_the_clock_is_the_last_resort(model: FloatModel) -> None:
    dear = begin(samples(), model, Cost(read=0.0, run=100.0), Work.of(3.0))
    dear.read_until(64)
    late = begin(samples(), model, Cost(read=0.0, run=0.001), Work.of(3.0, longest=0.0))
    late.read_until(64)
    assert (dear.count, late.count) == (1, 1)


def test_the_same_convolution_costs_the_same_in_onnx_and_torch(model: FloatModel) -> None:
    torch = pytest.importorskip("torch")
    from edgeq.ingest.pytorch.float_run import float_model as torch_model

    def call(tensors, within=None):  # type: ignore[no-untyped-def]
        with within or torch.no_grad():
            return net(*tensors)

    net = torch.nn.Conv2d(3, 4, 3)
    eager = torch_model(call, ["x"], (torch.zeros(1, 3, 8, 8),))
    assert eager.macs is not None
    assert eager.macs(samples()[0]) == 6 * 6 * 4 * 27
    assert cost_of(samples(), model).run == pytest.approx(cost_of(samples(), eager).run, rel=0.01)


def test_an_npz_is_read_once(tmp_path: Path, model: FloatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeq.workflow.data import data as look_at

    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((20, 3, 8, 8), np.float32))
    read: list[object] = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda file, **options: (read.append(file), load(file, **options))[1])
    seen = look_at(tmp_path / "m.onnx", data=tmp_path / "d.npz")
    assert seen.looked_at == 20
    assert seen.source == str(tmp_path / "d.npz")
    assert [Path(str(file)).name for file in read].count("d.npz") == 1
