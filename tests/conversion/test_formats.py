"""Which formats a source becomes, and that it does not depend on which converters an earlier run built."""

import importlib
import sys
from pathlib import Path

import pytest

import edgeq
from edgeq import catalog
from edgeq.conversion import formats
from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite import NAME, VERSION
from edgeq.ingest.onnx_to_tflite.pins import PINS, digest

ONNX2TF = {NAME: VERSION}


@pytest.fixture
def environment(own_home: Path) -> Path:
    """The looks of one that was built before: it is there if its Python is."""
    python = own_home / f"cache/edgeq/converters/onnx2tf-{digest(PINS)}-0/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/sh")
    return python


@pytest.mark.parametrize("built_before", [False, True])
@pytest.mark.parametrize(
    ("target", "runtime", "expected"),
    [
        ("rpi4", None, {"onnx", "tflite"}),
        ("x86-64", None, {"onnx", "tflite"}),
        ("rpi4", "litert", {"tflite"}),
        ("rpi4", "onnxruntime", {"onnx"}),
        ("rpi4-32bit", None, {"tflite"}),
    ],
)
def test_onnx_becomes_tflite_wherever_the_target_has_litert(built_before, target, runtime, expected, request):
    if built_before:
        request.getfixturevalue("environment")
    kind = catalog.target(target)
    assert set(formats.producible("net.onnx", kind, runtime)) == expected
    wanted = formats.loadable(kind, runtime)
    assert formats.converters("net.onnx", wanted) == (ONNX2TF if "tflite" in expected else {})


def test_a_runtime_that_the_device_cannot_have_asks_for_no_graph():
    kind = catalog.target("local")
    assert formats.loadable(kind, None, {"litert": "not installed here"}) == ("onnx",)
    assert formats.loadable(kind, "litert", {"litert": "not installed here"}) == ("tflite",)


@pytest.mark.usefixtures("environment")
def test_a_converter_that_was_built_counts_as_used():
    assert formats.built_converters(ONNX2TF) == ONNX2TF


def test_one_that_could_not_be_built_does_not():
    assert formats.built_converters(ONNX2TF) == {}


@pytest.mark.parametrize(
    ("model", "expected"), [("net.tflite", {"tflite"}), ("net.py:build", {"onnx", "tflite"})]
)
def test_other_sources_need_no_such_converter(model, expected):
    kind = catalog.target("rpi4")
    assert set(formats.producible(model, kind, None)) == expected
    assert formats.converters(model, formats.loadable(kind, None)) == {}


def test_a_converter_that_is_not_installed_is_missed_before_the_model_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("litert_torch", *(m for m in sys.modules if m.startswith("litert_torch."))):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not Path(p, "litert_torch").is_dir()])
    importlib.invalidate_caches()
    with pytest.raises(ExtraMissing, match="litert_torch, which is not installed") as missing:
        edgeq.convert("no-such.py:build", target="android-arm64")
    assert "edgeq[android]" in str(missing.value.remedy)
    with pytest.raises(ExtraMissing, match="litert_torch"):
        edgeq.export("no-such.py:build", output="x.tflite", target="rpi4")
