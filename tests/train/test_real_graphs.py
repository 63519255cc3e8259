"""The networks of shared/data as torch modules, and files that edgeq quantized: what onnxruntime answers, sample by sample."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

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


def test_layers_of_a_file_that_edgeq_quantized_give_the_same_integers(tmp_path):
    """From the same integers as onnxruntime's. Its kernels add them exactly, torch adds scaled values in float32: a value close to a
    half may round to the neighbour, and layer upon layer such differences grow.
    """
    path = quantized(saved(residual(), tmp_path), images(32), tmp_path)
    shares, largest = from_the_same_integers(path, images(32, seed=2))
    assert len(shares) > 5 and max(largest.values()) <= 1
    assert min(shares.values()) > 0.999


@pytest.mark.data
def test_layers_of_a_quantized_resnet_give_the_same_integers(data_dir, tmp_path):
    source = str(data_dir / "mlperf_tiny/results1.2_pretrainedResnet.onnx")
    model = open_model(Request(source, workdir=tmp_path / "float", name="resnet8"))
    pictures = zoo.cifar(data_dir, ("train_batch_0",))[0].astype(np.float32).transpose(0, 3, 1, 2)
    path = quantized(model, pictures[:48], tmp_path)
    shares, largest = from_the_same_integers(path, pictures[48:64])
    assert len(shares) > 10 and max(largest.values()) <= 1
    assert min(shares.values()) > 0.999


def quantized(model, rows, folder):
    """Static int8 by edgeq, calibrated on `rows`."""
    calibration, held_out, gate = Rows(rows[:32]), Rows(rows[-16:]), Gate(min_sqnr_db=-300)
    return make(
        STATIC, model, calibration, held_out, same_samples=False, gate=gate, workdir=folder / "w"
    ).path


class Noted(nn.Module):
    """In place of a QuantizeLinear: gives the integers of onnxruntime and notes its own."""

    def __init__(self, integers):
        super().__init__()
        self.integers, self.own = integers, None

    def forward(self, x, scale, zero_point):
        self.own = (torch.round(x / scale) + zero_point).clamp(0, 255)
        return self.integers.reshape(x.shape)


def from_the_same_integers(path, rows):
    """For each QuantizeLinear of the file: the share of integers that are equal, and the largest difference."""
    model = read(path)
    names = {n.name: n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    for output in names.values():
        model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.UINT8, None))
    session = ort_session(model, threads=1)
    ran = [session.run(list(names.values()), {session.get_inputs()[0].name: row[None]}) for row in rows]
    integers = [torch.from_numpy(np.concatenate(found)).float() for found in zip(*ran, strict=True)]
    noted = {name: Noted(found) for name, found in zip(names, integers, strict=True)}
    GraphModule(read(path), noted)(torch.from_numpy(np.ascontiguousarray(rows)))
    differences = {name: (m.own - m.integers.reshape(m.own.shape)).abs() for name, m in noted.items()}
    shares = {name: float((d == 0).float().mean()) for name, d in differences.items()}
    return shares, {name: float(d.max()) for name, d in differences.items()}
