"""A candidate that the device's runtime is too old for stays at home, with the reason."""

import pytest

from edgeq.deliver import runtimes
from edgeq.errors import DeviceUnfit
from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.delivery import WheelSet
from tests.deliver.provision.devices_on_paper import DEBIAN_11_ARM64

OLD = WheelSet("onnxruntime", "1.19.2", (), ())
LITERT = WheelSet("litert", "2.1.0", (), ())


def candidate(id: str, runtime: str, needs: str | None) -> Candidate:
    return Candidate(id, runtime, "float", "m", ("x",), ("y",), min_runtime=needs)


def manifest(*candidates: Candidate) -> Manifest:
    return Manifest(1, "net", "rpi4", "0" * 64, None, (), (), None, candidates, ())


NEW = candidate("onnxruntime-float", "onnxruntime", "1.21")
FITS = candidate("onnxruntime-int8", "onnxruntime", "1.9")
TFLITE = candidate("litert-float", "litert", None)


def test_only_what_its_runtime_cannot_read_is_left_out() -> None:
    bundle = manifest(NEW, FITS, TFLITE)
    left_out = runtimes.too_old(DEBIAN_11_ARM64, "pi@x", (OLD, LITERT), bundle)
    assert left_out == {
        "onnxruntime-float": "its file needs onnxruntime 1.21 or newer; "
        "the newest for Python 3.9.2 on aarch64 is 1.19.2"
    }
    assert runtimes.used((OLD, LITERT), bundle, without=left_out) == (OLD, LITERT)


def test_a_runtime_that_nothing_is_left_for_is_not_sent() -> None:
    bundle = manifest(NEW, TFLITE)
    left_out = runtimes.too_old(DEBIAN_11_ARM64, "pi@x", (OLD, LITERT), bundle)
    assert runtimes.used((OLD, LITERT), bundle, without=left_out) == (LITERT,)


def test_nothing_left_at_all_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DeviceUnfit, match="cannot have a runtime that reads this model") as unfit:
        runtimes.too_old(DEBIAN_11_ARM64, "pi@x", (OLD,), manifest(NEW))
    assert "older opset" in (unfit.value.remedy or "")
