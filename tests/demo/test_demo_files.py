import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from edgeq.demo import demo_files, train_digits
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.ingest.samples import open_samples
from edgeq.ingest.split import split


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """What the script makes here and now, from the beginning."""
    folder = tmp_path_factory.mktemp("digits")
    train_digits.main(folder)
    return folder


def digit(model, images):
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return [int(session.run(None, {"image": x[None].astype(np.float32)})[0].argmax()) for x in images]


def weights(model):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(model).graph.initializer}


def test_the_script_still_makes_this_model(again):
    """Equal to two steps of the rounding (a CPU may tip a value that lies on the edge), and in what it says of every digit."""
    model, data = demo_files()
    shipped, made = weights(model), weights(again / model.name)
    assert shipped.keys() == made.keys()
    for name, expected in shipped.items():
        step = 2.0 ** (1 - train_digits.WEIGHT_BITS)
        np.testing.assert_allclose(made[name], expected, rtol=2 * step, atol=1e-6)
    images = np.load(data)["image"]
    assert digit(again / model.name, images) == digit(model, images)


def test_the_digits_are_the_ones_held_out_from_training(again):
    shipped, made = np.load(demo_files()[1]), np.load(again / "digits.npz")
    assert np.array_equal(shipped["image"], made["image"])
    assert np.array_equal(shipped["labels"], made["labels"])
    assert len(shipped["labels"]) == 1797 - train_digits.TRAINED_ON


def test_the_demo_opens_like_any_model_and_knows_its_digits(tmp_path):
    model, data = demo_files()
    assert model.stat().st_size < 300_000
    assert data.stat().st_size < 50_000
    opened = open_model(Request(str(model), workdir=tmp_path))
    samples = open_samples(str(data), inputs=opened.inputs)
    parts = split(samples)
    assert (parts.calibration.count, parts.heldout.count) == (160, 640)
    assert samples[0][0].shape == (1, 1, 8, 8)
    assert samples[0][0].dtype == np.float32
    session = ort.InferenceSession(opened.files["onnx"], providers=["CPUExecutionProvider"])
    right = [
        session.run(None, {"image": x})[0].argmax() == y
        for (x,), y in zip(samples, samples.labels, strict=True)
    ]
    assert np.mean(right) > 0.97
