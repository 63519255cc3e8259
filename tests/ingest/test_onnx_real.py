"""The real models of shared/data, each opened as a user would."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgeq.errors import ModelRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request

pytestmark = pytest.mark.data

MODELS = {
    "mlperf_tiny/results1.2_pretrainedResnet.onnx": (11, 17, (1, 3, 32, 32)),
    "mlperf_tiny/derived_kws_ref_model_dequantised_float.onnx": (13, 13, (1, 1, 49, 10)),
    "mnist/mnist_burn_opset16.onnx": (16, 16, (1, 1, 28, 28)),
    "imagenet/derived_mobilenet_v2_1.0_224_float.onnx": (13, 13, (1, 3, 224, 224)),
    "faces/ultraface_version-RFB-320.onnx": (9, 17, (1, 3, 240, 320)),
    "detection/FastestDet_coco_352.onnx": (11, 17, (1, 3, 352, 352)),
}


@pytest.mark.parametrize("file", MODELS)
def test_a_real_model_opens_and_still_says_the_same(file, data_dir, tmp_path):
    before, after, shape = MODELS[file]
    model = open_model(Request(str(data_dir / file), workdir=tmp_path))
    clean = onnx.load(model.files["onnx"])
    assert onnx.load(data_dir / file).opset_import[0].version == before
    assert [(o.domain, o.version) for o in clean.opset_import] == [("", after)]
    assert clean.ir_version == 8
    assert model.inputs[0].shape == shape
    assert len(clean.graph.input) == len(model.inputs) == 1
    x = np.random.default_rng(1).random(shape, dtype=np.float32)
    for mine, theirs in zip(outputs(model.files["onnx"], x), outputs(str(data_dir / file), x), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


def outputs(file, x):
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


def test_an_open_length_is_asked_for_and_state_inputs_follow(data_dir, tmp_path):
    silero = str(data_dir / "silero_vad/silero_vad_16k_op15.onnx")
    with pytest.raises(ModelRefused) as refused:
        open_model(Request(silero, workdir=tmp_path))
    assert "--shape input=1,?" in refused.value.remedy
    model = open_model(Request(silero, workdir=tmp_path, shapes={"input": (1, 576)}))
    assert [str(i) for i in model.inputs] == [
        "input 1x576 float32",
        "state 2x1x128 float32",
        "sr scalar int64",
    ]
    assert [str(o) for o in model.outputs] == ["output 1x1 float32", "stateN 2x1x128 float32"]


def test_an_example_pins_what_is_open(data_dir, tmp_path):
    example = (np.zeros(576, np.float32), np.zeros((2, 1, 128), np.float32), np.array(16000))
    model = open_model(
        Request(str(data_dir / "silero_vad/silero_vad_16k_op15.onnx"), workdir=tmp_path, example=example)
    )
    assert model.inputs[0].shape == (1, 576)


def test_no_opset_is_refused_by_the_field(data_dir, tmp_path):
    with pytest.raises(ModelRefused, match="opset_import is missing"):
        open_model(
            Request(str(data_dir / "refuse/honk_cnn_one_fstride4_ir1_no_opset.onnx"), workdir=tmp_path)
        )


def test_the_same_source_gives_the_same_bytes(data_dir, tmp_path):
    source = str(data_dir / "faces/ultraface_version-slim-320.onnx")
    first, second = (open_model(Request(source, workdir=tmp_path / w)) for w in "ab")
    assert first.sha256 == second.sha256
    files = [tmp_path / w / "ultraface_version-slim-320.onnx" for w in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
