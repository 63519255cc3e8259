"""What this host packs expands to the same bytes on each device of the lab: Python 3.9, 32 bits, and each device's own numpy."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgeq.compress.pack import pack
from edgeq.deliver.agent_archive import build_agent
from edgeq.deliver.provision import resolve
from tests.compress.models import floats, onnx_file, weights
from tests.deliver.provision.devices_on_paper import target
from tests.deliver.provision.on_device import facts_of, unpacked
from tests.lab.device import LabDevice

pytestmark = [pytest.mark.lab, pytest.mark.slow]

_EXPAND = (
    "import hashlib, sys; from edgeq.compress.expand import expand; packed = sys.stdin.buffer.read(); "
    "print(hashlib.sha256(expand(packed, sys.argv[1], int(sys.argv[2]))).hexdigest())"
)
_MODEL = onnx_file(
    w=weights(4, (64, 64, 3, 3)),
    v=weights(8, (64, 32)),
    f=floats((64, 64)),
    s=weights(6).astype(np.float32) * np.float32(0.01),
    b=np.arange(100, dtype=np.int32),
)


@pytest.mark.parametrize(
    ("fixture", "runtime"),
    [
        ("x86_device", "onnxruntime"),
        ("bullseye_arm64_device", "onnxruntime"),
        ("armhf_device", "tflite-runtime"),
    ],
)
def test_a_packed_file_expands_there(
    fixture: str, runtime: str, wheel_cache: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    device: LabDevice = request.getfixturevalue(fixture)
    path = unpacked(device, resolve(runtime, facts_of(device, tmp_path), target(), cache=wheel_cache))
    agent, sha256 = build_agent(tmp_path).name, hashlib.sha256(_MODEL).hexdigest()
    line = f"PYTHONPATH={agent}:{path} python3 -B -c '{_EXPAND}' {sha256} {len(_MODEL)}"
    assert device.run(line, stdin=pack(_MODEL), timeout=240).stdout.split() == [sha256]
