"""Which formats a source becomes, and that it does not depend on which converters an earlier run built."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.ingest.onnx_to_tflite import NAME, VERSION
from edgeq.ingest.onnx_to_tflite.pins import PINS, digest
from edgeq.workflow import formats

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
    assert set(formats.possible("net.onnx", kind, runtime)) == expected
    wanted = formats.loaded(kind, runtime)
    assert formats.converters("net.onnx", wanted) == (ONNX2TF if "tflite" in expected else {})


def test_a_runtime_that_the_device_cannot_have_asks_for_no_graph():
    kind = catalog.target("local")
    assert formats.loaded(kind, None, {"litert": "not installed here"}) == ("onnx",)
    assert formats.loaded(kind, "litert", {"litert": "not installed here"}) == ("tflite",)


@pytest.mark.usefixtures("environment")
def test_a_converter_that_was_built_counts_as_used():
    assert formats.had(ONNX2TF) == ONNX2TF


def test_one_that_could_not_be_built_does_not():
    assert formats.had(ONNX2TF) == {}


@pytest.mark.parametrize(
    ("model", "expected"), [("net.tflite", {"tflite"}), ("net.py:build", {"onnx", "tflite"})]
)
def test_other_sources_need_no_such_converter(model, expected):
    kind = catalog.target("rpi4")
    assert set(formats.possible(model, kind, None)) == expected
    assert formats.converters(model, formats.loaded(kind, None)) == {}
