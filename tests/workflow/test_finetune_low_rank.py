"""`edgeq finetune --low-rank`: a smaller network is quantized and trained, and judged against the float model as it was."""

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")

import edgeq  # noqa: E402
from edgeq.cli.main import run  # noqa: E402
from edgeq.errors import ModelRefused  # noqa: E402
from edgeq.graphs.onnx_io import read_onnx  # noqa: E402
from edgeq.nouns.progress import Note  # noqa: E402
from edgeq.train.tuned_file import read_tuned  # noqa: E402

WIDTHS = (48, 96, 96, 4)


def perceptron() -> onnx.ModelProto:
    rng, nodes, tensors, source = np.random.default_rng(0), [], [], "x"
    for k, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
        weights = rng.normal(size=(outputs, inputs)) * (2 / inputs) ** 0.5
        tensors += [
            numpy_helper.from_array(weights.astype(np.float32), f"w{k}"),
            numpy_helper.from_array(rng.normal(size=outputs).astype(np.float32) / 10, f"b{k}"),
        ]
        last = k == len(WIDTHS) - 2
        made = "y" if last else f"h{k}"
        nodes.append(helper.make_node("Gemm", [source, f"w{k}", f"b{k}"], [made], f"dense{k}", transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [made], [f"r{k}"], f"relu{k}"))
        source = f"r{k}"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in (("x", WIDTHS[0]), ("y", WIDTHS[-1]))
    ]
    graph = helper.make_graph(nodes, "perceptron", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(perceptron(), tmp_path / "net.onnx")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(700, 8)) @ rng.normal(size=(8, WIDTHS[0])) + 0.05 * rng.normal(size=(700, WIDTHS[0]))
    np.savez(tmp_path / "train.npz", x=x[:600].astype(np.float32))
    np.savez(tmp_path / "test.npz", x=x[600:].astype(np.float32))
    return tmp_path


def finetuned(**others: object) -> object:
    given = {"data": "train.npz", "target": "rpi4", "batch": 32, "output": "tuned.pt", "low_rank": 0.5}
    return edgeq.finetune("net.onnx", **given | others)  # type: ignore[arg-type]


def test_a_smaller_network_is_trained_towards_the_float_model(here: Path) -> None:
    said: list[object] = []
    start, found = finetuned(epochs=0, tell=said.append).training, finetuned(epochs=2).training
    assert any(
        "linear layer" in note.text and "multiplications" in note.text
        for note in said
        if isinstance(note, Note)
    )
    assert found.best.loss < start.before.loss
    tuned = read_tuned(here / "tuned.pt")
    (here / "tuned.onnx").write_bytes(tuned.model)
    graph = read_onnx(here / "tuned.onnx").graph
    names = [n.name for n in graph.node]
    weights = sum(numpy_helper.to_array(t).size for t in graph.initializer if t.data_type == TensorProto.INT8)
    assert weights < 0.55 * (48 * 96 + 96 * 96) + 96 * 4
    assert {"dense0", "dense1", "dense2"} <= set(names) and "dense1.inner" in names


def test_deploy_compares_it_with_the_float_model(here: Path) -> None:
    finetuned(epochs=1)
    made = edgeq.convert(
        "net.onnx", data="test.npz", weights="tuned.pt", target="rpi4", runtime="onnxruntime", min_sqnr=5, min_agreement=0.5
    )  # fmt: skip
    (found,) = [f for f in made.fidelity if f.candidate == "onnxruntime-trained_static"]
    assert found.passed and found.outputs[0].sqnr_db < 35  # float itself would be at 40 in int8


def test_both_factors_of_a_layer_are_explained(here: Path) -> None:
    finetuned(epochs=1)
    found = edgeq.explain(
        "net.onnx", data="test.npz", weights="tuned.pt", target="rpi4", runtime="onnxruntime", recipe="trained_static", min_sqnr=5
    )  # fmt: skip
    (explanation,) = found.explanations
    assert {"dense1.inner", "dense1"} <= {layer.layer for layer in explanation.layers}
    assert explanation.own_float
    for layer in explanation.layers:
        assert layer.error is not None and 0 < layer.error < 0.05
        assert layer.weights is not None and layer.weights < 1e-6


def test_a_share_that_cannot_be_had_is_refused(here: Path) -> None:
    with pytest.raises(ModelRefused, match="cannot be made as small as 1%"):
        finetuned(low_rank=0.01)
    assert run(["finetune", "net.onnx", "--data", "train.npz", "--target", "rpi4", "--low-rank", "0"]) == 2
