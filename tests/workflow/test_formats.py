"""When an ONNX source becomes TFLite: where nothing else runs, where it was asked for, or where it costs no network."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.ingest.onnx_to_tflite import NAME, VERSION
from edgeq.ingest.onnx_to_tflite.pins import PINS, digest
from edgeq.workflow import formats


@pytest.fixture
def environment(own_home: Path) -> Path:
    """The looks of one that was built before: it is there if its Python is."""
    python = own_home / f"cache/edgeq/converters/onnx2tf-{digest(PINS)}-0/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/sh")
    return python


@pytest.mark.parametrize(
    ("target", "runtime", "expected"),
    [
        ("rpi4", None, ("onnx",)),
        ("rpi4", "litert", ("tflite",)),
        ("rpi4", "onnxruntime", ("onnx",)),
        ("rpi4-32bit", None, ("tflite",)),
    ],
)
def test_onnx_becomes_tflite_where_it_must_or_was_asked_for(target, runtime, expected):
    kind = catalog.target(target)
    assert formats.possible("net.onnx", kind, runtime) == expected
    assert formats.converters("net.onnx", kind, runtime) == ({NAME: VERSION} if "tflite" in expected else {})


@pytest.mark.usefixtures("environment")
def test_onnx_becomes_both_where_the_converter_is_there():
    kind = catalog.target("rpi4")
    assert set(formats.possible("net.onnx", kind, None)) == {"onnx", "tflite"}
    assert formats.converters("net.onnx", kind, None) == {NAME: VERSION}
    assert formats.converters("net.onnx", kind, "onnxruntime") == {}


@pytest.mark.parametrize(
    ("model", "expected"), [("net.tflite", {"tflite"}), ("net.py:build", {"onnx", "tflite"})]
)
def test_other_sources_need_no_such_converter(model, expected):
    kind = catalog.target("rpi4")
    assert set(formats.possible(model, kind, None)) == expected
    assert formats.converters(model, kind, None) == {}
