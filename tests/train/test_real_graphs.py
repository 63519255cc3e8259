"""The networks of shared/data as torch modules, and files that edgeq quantized: what onnxruntime answers, sample by sample."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgeq.graphs.float_graph import read
from edgeq.graphs.ort_session import ort_session
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.train.graph_module import GraphModule
from tests.models import zoo
from tests.quantize.networks import STATIC, Rows, images, residual, saved
from tests.train.onnx_runs import batch_of, compare, normal

_ONNX = {
    "resnet8": ("mlperf_tiny/results1.2_pretrainedResnet.onnx", {}),
    "keywords": ("mlperf_tiny/derived_kws_ref_model_dequantised_float.onnx", {"t0": (1, 1, 49, 10)}),
    "mnist": ("mnist/mnist_burn_opset16.onnx", {}),
    "mobilenet_v2": ("imagenet/derived_mobilenet_v2_1.0_224_float.onnx", {"t0": (1, 3, 224, 224)}),
    "ultraface": ("faces/ultraface_version-RFB-320.onnx", {}),
    "fastestdet": ("detection/FastestDet_coco_352.onnx", {}),
}


def trained_on(path: Path, *inputs, within=1e-4):
    """Asserts equal outputs for a batch of three, and a gradient for every weight."""
    module = GraphModule(read(path))
    found = module(*batch_of(*inputs))
    compare(found, path, inputs, within)
    sum((y * torch.randn_like(y)).sum() for y in found).backward()
    without = [n for n, w in module.weights.items() if w.grad is None or not w.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.data
@pytest.mark.parametrize("name", _ONNX)
def test_published_networks(name, data_dir, tmp_path):
    file, shapes = _ONNX[name]
    model = open_model(Request(str(data_dir / file), workdir=tmp_path, name=name, shapes=shapes))
    trained_on(Path(model.files["onnx"]), normal(3, *model.inputs[0].shape))


@pytest.mark.data
def test_a_resnet_from_torch(data_dir, tmp_path):
    request = Request(
        f"{zoo.MODELS / 'resnet_cifar.py'}:resnet20",
        workdir=tmp_path,
        weights=data_dir / "cifar10/resnet_torch/resnet20-12fca82f.th",
        example=(np.zeros((1, 3, 32, 32), np.float32),),
    )
    trained_on(Path(open_model(request).files["onnx"]), normal(3, 1, 3, 32, 32))


@pytest.mark.data
def test_a_speech_detector_with_lstms_and_state(data_dir, tmp_path):
    shapes = {"input": (1, 576), "state": (2, 1, 128)}
    source = str(data_dir / "silero_vad/silero_vad_16k_op15.onnx")
    model = open_model(Request(source, workdir=tmp_path, name="silero_vad", shapes=shapes))
    inputs = {
        "input": normal(3, 1, 576, scale=0.1),
        "state": normal(3, 2, 1, 128, seed=1),
        "sr": np.full(3, 16000),
    }
    trained_on(Path(model.files["onnx"]), *(inputs[i.name] for i in model.inputs))


def test_a_file_that_edgeq_quantized(tmp_path):
    """Integer kernels add exactly, torch in float32: a value close to a half may round to the neighbour."""
    model = saved(residual(), tmp_path)
    made = make(
        STATIC, model, Rows(images(32)), Rows(images(16, seed=1)), same_samples=False, gate=Gate(min_sqnr_db=-300), workdir=tmp_path / "w"
    )  # fmt: skip
    quantized = read(made.path)
    assert any(n.op_type == "QuantizeLinear" for n in quantized.graph.node)
    rows = images(64, seed=2)
    (found,) = GraphModule(quantized)(torch.from_numpy(rows))
    expected = integer_outputs(made.path, rows)
    step = np.abs(expected).max() / 127
    differences = np.abs(found.detach().numpy() - expected)
    assert np.mean(differences < 0.1 * step) > 0.99 and differences.max() < 1.5 * step


def integer_outputs(path, rows):
    session = ort_session(path, threads=1)
    return np.concatenate([session.run(None, {"x": row[None]})[0] for row in rows])
