"""What resolve() picks really runs: on each device of the lab, the wheels unpacked there and nothing else beside them.

Facts come from the real agent, the wheels from the real index; the model is y = relu(x).
"""

import json
from pathlib import Path

import pytest

from edgeq.deliver.provision import resolve
from tests.deliver.provision.devices_on_paper import target
from tests.deliver.provision.on_device import facts_of, unpacked
from tests.deliver.provision.tiny_models import write_onnx, write_tflite
from tests.lab.device import LabDevice

pytestmark = pytest.mark.lab

_RUN_ONNX = """
import onnxruntime, numpy
session = onnxruntime.InferenceSession("relu.onnx", providers=["CPUExecutionProvider"])
print(session.run(None, {"x": numpy.array([[-2, -1, 1, 2]], numpy.float32)})[0].tolist())
"""
_RUN_TFLITE = """
import numpy
from PACKAGE.interpreter import Interpreter
model = Interpreter(model_path="relu.tflite", num_threads=1)
model.allocate_tensors()
model.set_tensor(model.get_input_details()[0]["index"], numpy.array([[-2, -1, 1, 2]], numpy.float32))
model.invoke()
print(model.get_tensor(model.get_output_details()[0]["index"]).tolist())
"""
_PROGRAMS = {
    "onnxruntime": _RUN_ONNX,
    "litert": _RUN_TFLITE.replace("PACKAGE", "ai_edge_litert"),
    "tflite-runtime": _RUN_TFLITE.replace("PACKAGE", "tflite_runtime"),
}


@pytest.mark.parametrize(
    ("fixture", "runtime"),
    [
        ("x86_device", "onnxruntime"),
        ("x86_device", "litert"),
        ("x86_device", "tflite-runtime"),
        ("arm64_device", "onnxruntime"),
        ("arm64_device", "litert"),
        ("arm64_device", "tflite-runtime"),
        ("bullseye_arm64_device", "onnxruntime"),
        ("bullseye_arm64_device", "litert"),
        ("bullseye_arm64_device", "tflite-runtime"),
        ("armhf_device", "tflite-runtime"),
    ],
)
def test_model_runs_on_the_wheels_for_this_device(
    fixture: str, runtime: str, wheel_cache: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    device: LabDevice = request.getfixturevalue(fixture)
    wheels = resolve(runtime, facts_of(device, tmp_path), target(), cache=wheel_cache)
    path = unpacked(device, wheels)
    for write, name in ((write_onnx, "relu.onnx"), (write_tflite, "relu.tflite")):
        device.run(f"cat > {name}", stdin=write(tmp_path / name).read_bytes())
    done = device.run(f"PYTHONPATH={path} python3 -B -", stdin=_PROGRAMS[runtime].encode(), timeout=240)
    assert json.loads(done.stdout.splitlines()[-1]) == [[0, 0, 1, 2]]
