"""ResNet-20, trained some steps, as a .tflite file: all of its integers, and the classes of 1,000 images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from edgeq.graphs.float_graph import read  # noqa: E402
from edgeq.graphs.tflite_session import interpreter_of  # noqa: E402
from edgeq.ingest.open_model import open_model  # noqa: E402
from edgeq.ingest.request import Request  # noqa: E402
from edgeq.quantize.backends.ort.qdq import emitted  # noqa: E402
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of  # noqa: E402
from edgeq.train.quantized_network import QuantizedNetwork  # noqa: E402
from edgeq.train.relative_adam import RelativeAdam  # noqa: E402
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: E402, F401
from tests.models import zoo  # noqa: E402
from tests.train.litert_runs import compared, made_of  # noqa: E402
from tests.train.residual_network import S8, Images, weights_of  # noqa: E402

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photos(data: Path) -> np.ndarray:
    """1,000 of the test images, [N, 3, 32, 32]."""
    with Image.open(data / "cifar10/images/test_0.png") as image:
        pixels = np.asarray(image, np.float32).reshape(-1, 32, 32, 3) / 255
    return np.ascontiguousarray(((pixels - _MEAN) / _STD).transpose(0, 3, 1, 2), np.float32)[:1000]


def trained(file, floats, images: np.ndarray):
    """Two steps that move weights, scales and biases a little."""
    network = QuantizedNetwork(file, weights_of(floats)).train()
    optimizer = RelativeAdam(network.parameters_with_units(), 0.002)
    for batch in torch.from_numpy(images).split(len(images) // 2):
        optimizer.zero_grad()
        network(batch)[0].logsumexp(1).mean().backward()
        optimizer.step()
    return network.eval().model()


@pytest.mark.slow
@pytest.mark.data
def test_every_integer_and_every_class(data_dir, tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    request = Request(
        f"{zoo.MODELS / 'resnet_cifar.py'}:resnet20",
        workdir=tmp_path,
        weights=data_dir / "cifar10/resnet_torch/resnet20-12fca82f.th",
        example=(np.zeros((1, 3, 32, 32), np.float32),),
    )
    floats, rows = read(Path(open_model(request).files["onnx"])), photos(data_dir)
    ranges = ranges_of(calibrate_onnx(floats, Images(rows[:64], None), histogram=False), "minmax")
    file = trained(emitted(floats, S8, ranges)[0], floats, rows[:64])
    files = made_of(file, floats, Images(rows, None), tmp_path, onnx2tf_cache)
    found = compared(files, rows[:100])
    assert len(found) > 30
    for name, steps in found.items():
        assert steps.max() <= 1, name
        assert np.mean(steps == 0) >= 0.999, name
    own, theirs = outputs_of_network(file, rows), outputs_of_file(files.made.path, rows)
    best = np.sort(own)
    ties = best[:, -1] == best[:, -2]
    assert np.all((own.argmax(1) == theirs.argmax(1)) | ties)


def outputs_of_network(file, rows: np.ndarray) -> np.ndarray:
    network = QuantizedNetwork(file, {}, runtime="litert").eval()
    with torch.no_grad():
        return torch.cat([network(batch)[0] for batch in torch.from_numpy(rows).split(50)]).numpy()


def outputs_of_file(path: Path, rows: np.ndarray) -> np.ndarray:
    interpreter = interpreter_of(path, 1)
    given, made = (d[0]["index"] for d in (interpreter.get_input_details(), interpreter.get_output_details()))
    found = []
    for row in rows:
        interpreter.set_tensor(given, row[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(made)[0].copy())
    return np.array(found)
