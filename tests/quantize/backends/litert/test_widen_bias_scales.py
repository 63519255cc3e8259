"""A bias beyond 32 bits widens the scale of its weights, whatever passes are used: the channel keeps what it adds."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("litert_quantizer")

from ai_edge_litert import schema_py_generated as schema

from edgeq.ingest.tflite_run import run_tflite
from edgeq.quantize.backends.litert import emit
from tests.quantize.tflite_networks import write

RNG = np.random.default_rng(0)
WIDTH, CHANNELS = 16, 8


def dense(path, weight, bias):
    options = schema.FullyConnectedOptionsT()
    shapes = {"x": (1, WIDTH), "y": (1, CHANNELS)}
    layers = [("FULLY_CONNECTED", options, ["x", "w", "b"], "y")]
    return write(path, shapes, {"w": weight, "b": bias}, layers, ("x",), ("y",))


def convolution(path, weight, bias):
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    shapes = {"x": (1, 4, 4, WIDTH), "y": (1, 4, 4, CHANNELS)}
    layers = [("CONV_2D", options, ["x", "w", "b"], "y")]
    return write(path, shapes, {"w": weight.reshape(-1, 1, 1, WIDTH), "b": bias}, layers, ("x",), ("y",))


def shared(path, weight, bias):
    """Two layers of one weight: y adds a small bias, z the large one."""
    options = schema.FullyConnectedOptionsT()
    shapes = {"x": (1, WIDTH), "y": (1, CHANNELS), "z": (1, CHANNELS)}
    layers = [
        ("FULLY_CONNECTED", options, ["x", "w", "small"], "y"),
        ("FULLY_CONNECTED", options, ["x", "w", "b"], "z"),
    ]
    constants = {"w": weight, "b": bias, "small": bias / 100}
    return write(path, shapes, constants, layers, ("x",), ("y", "z"))


def outputs(path, rows):
    content = path.read_bytes()
    return [np.stack(column) for column in zip(*(run_tflite(content, (r,)) for r in rows), strict=True)]


def quantized(net, folder, weight, bias, form=emit.USUAL):
    """Float's and int8's outputs, [rows, ..., channels]."""
    source = net(folder / "float.tflite", weight, bias)
    shape = (1, 4, 4, WIDTH) if net is convolution else (1, WIDTH)
    rows = [RNG.standard_normal(shape).astype("f") for _ in range(40)]
    floats = outputs(source, rows)
    seen = {"x": np.stack(rows)} | dict(zip(("y", "z"), floats, strict=False))
    ranges = {name: (float(v.min()), float(v.max())) for name, v in seen.items()}
    emit.emit(source, folder / "int8.tflite", ranges, form=form)
    return floats, outputs(folder / "int8.tflite", rows)


FORMS = {
    "8 bits": emit.USUAL,
    "16 bits": emit.Form(16),
    "one scale for all": emit.Form(16, runtime="tflite-runtime"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("net", [dense, convolution, shared])
@pytest.mark.parametrize("factor", [0.0, 1e-9])
def test_a_channel_of_tiny_weights_keeps_its_bias(net, form, factor, tmp_path):
    weight, bias = RNG.standard_normal((CHANNELS, WIDTH)), RNG.standard_normal(CHANNELS) * 2
    weight[3] *= factor
    for float_, int8 in zip(*quantized(net, tmp_path, weight, bias, FORMS[form]), strict=True):
        step = (float_.max() - float_.min()) / 255
        assert np.abs(float_ - int8)[..., 3].max() < 2 * step
        assert np.abs(float_ - int8).max() < 0.05 * np.abs(float_).max()


def test_a_network_without_such_channels_stays_byte_for_byte(tmp_path, monkeypatch):
    source = dense(
        tmp_path / "float.tflite", RNG.standard_normal((CHANNELS, WIDTH)), RNG.standard_normal(CHANNELS)
    )
    ranges = {"x": (-3.0, 3.0), "y": (-9.0, 9.0)}
    emit.emit(source, tmp_path / "once.tflite", ranges)
    monkeypatch.setattr(emit, "with_room_for_biases", lambda source, content: content)
    emit.emit(source, tmp_path / "plain.tflite", ranges)
    assert (tmp_path / "once.tflite").read_bytes() == (tmp_path / "plain.tflite").read_bytes()
