"""expand: compressed uploads, by the real agent."""

import numpy as np
import pytest

from edgeq.compress.pack import pack
from edgeq.errors import ArtifactCorrupt, DeviceBusy, DeviceUnfit
from tests.agent.files.device import Device, bundle, sha
from tests.compress.models import floats, onnx_file, weights

OLD = onnx_file(w=weights(8), f=floats((64, 32)), b=np.arange(100, dtype=np.int32))
NEW = onnx_file(w=weights(8), f=floats((64, 32)), b=np.arange(100, dtype=np.int32) * 3)


def request(device: Device, packed: bytes, content: bytes, **more: object) -> dict[str, object]:
    device.upload(packed)
    return {"packed": sha(packed), "sha256": sha(content), "size": len(content), **more}


def test_what_was_packed_becomes_the_file(device: Device, token: str) -> None:
    asked = request(device, pack(NEW), NEW, token=token)
    assert device.call("expand", **asked) == {}

    path = device.root / "incoming" / sha(NEW)
    assert path.read_bytes() == NEW
    assert [p.name for p in path.parent.iterdir()] == [sha(NEW)], "what was packed is gone"
    assert path.stat().st_mode & 0o777 == 0o444
    assert device.call("expand", **asked) == {}, "an answer that was lost"


def test_a_release_is_installed_from_it(device: Device, token: str) -> None:
    made = bundle(files={"candidates/ort/model.onnx": NEW, "candidates/ort/contract.json": b"{}"})
    device.upload(b"{}")
    device.call("expand", **request(device, pack(NEW), NEW, token=token))
    device.call("install", token=token, manifest=made.manifest.to_dict())
    device.call("activate", token=token, app="net", digest=made.digest, candidate="ort")
    assert device.live_model() == NEW


def test_against_the_release_that_is_live(device: Device, token: str) -> None:
    device.deploy(
        token, bundle(files={"candidates/ort/model.onnx": OLD, "candidates/ort/contract.json": b"{}"})
    )
    packed = pack(NEW, OLD)
    assert len(packed) < len(pack(NEW)) / 10
    device.call("expand", **request(device, packed, NEW, token=token, base=sha(OLD)))
    assert (device.root / "incoming" / sha(NEW)).read_bytes() == NEW

    with pytest.raises(ArtifactCorrupt, match="compressed against is not on this device"):
        device.call("expand", **request(device, packed, OLD + b"x", token=token, base="0" * 64))


def test_the_oldest_python_has_no_numpy_and_says_so(device: Device, old_python: str) -> None:
    old = Device(device.root, device.archive, old_python)
    asked = request(old, pack(NEW), NEW, token=old.lock())
    with pytest.raises(DeviceUnfit, match="numpy cannot be imported"):
        old.call("expand", **asked)
    assert not (old.root / "incoming" / sha(NEW)).exists()


@pytest.mark.parametrize("damage", ["bytes", "other size", "not there"])
def test_damaged_it_is_refused_and_leaves_nothing(device: Device, token: str, damage: str) -> None:
    packed = pack(NEW)
    asked = request(device, packed, NEW, token=token)
    if damage == "bytes":
        asked = request(device, packed[:-50] + bytes(50), NEW, token=token)
    elif damage == "other size":
        asked["size"] = len(NEW) + 1
    else:
        (device.root / "incoming" / sha(packed)).unlink()
    with pytest.raises(ArtifactCorrupt):
        device.call("expand", **asked)
    assert not (device.root / "incoming" / sha(NEW)).exists()
    device.call("sweep", token=token)
    assert not device.leftovers()


def test_only_the_holder_expands(device: Device, token: str) -> None:
    with pytest.raises(DeviceBusy):
        device.call("expand", **request(device, pack(NEW), NEW, token="another"))


def test_names_are_hashes(device: Device, token: str) -> None:
    for name in ("../x", "x"):
        with pytest.raises(ArtifactCorrupt, match="named by its sha256"):
            device.call("expand", **{**request(device, pack(NEW), NEW, token=token), "packed": name})
