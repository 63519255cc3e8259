"""Cross-layer equalization: float's outputs stay the same, and it is kept only where int8 gains."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.nouns.passes import OFF, passes_of
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.audit.explain import explain
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes.equalize import as_in, equalized
from edgeq.quantize.passes.equalize.factors import Channels, eighths_of, gain_db
from edgeq.quantize.passes.equalize.pairs import array, factors_of, pairs_of, scaled
from edgeq.quantize.run_model import no_progress, values_of
from edgeq.quantize.samples import Subset
from tests.quantize.networks import Rows, images, model_of, residual, saved

SCHEME = Scheme("uint8", "int8", True)
CANDIDATE = CandidatePlan(
    "onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test", scheme=SCHEME
)
CALIBRATION, HELD_OUT = Rows(images(64)), Rows(images(40, seed=9), sha256="h" * 64)


def chain(octaves=0.0, clip=None, seed=3):
    """Conv, depthwise, Conv, and two Gemms behind a Flatten; channels of the first two layers are up to 2^octaves apart."""
    rng = np.random.default_rng(seed)
    uneven = np.exp2(-octaves * np.linspace(0, 1, 16)).astype(np.float32)
    weights, nodes = [], []

    def layer(op, source, name, shape, before=None, after=None, bias=True, **attributes):
        w = rng.normal(scale=np.prod(shape[1:]) ** -0.5, size=shape).astype(np.float32)
        b = rng.normal(scale=0.1, size=shape[0]).astype(np.float32)
        if before is not None:
            w /= before.reshape(1, -1, 1, 1) if shape[1] > 1 else before.reshape(-1, 1, 1, 1)
        if after is not None:
            w, b = w * after.reshape(-1, 1, 1, 1), b * after
        weights.append(numpy_helper.from_array(w, f"{name}.w"))
        weights.extend([numpy_helper.from_array(b, f"{name}.b")] if bias else [])
        inputs = [source, f"{name}.w", *([f"{name}.b"] if bias else [])]
        nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def then(op, *inputs, **attributes):
        nodes.append(
            helper.make_node(op, inputs, [f"{inputs[0]}.{op}"], name=f"{inputs[0]}.{op}", **attributes)
        )
        return f"{inputs[0]}.{op}"

    same = {"pads": [1, 1, 1, 1]}
    a = layer("Conv", "x", "a", (16, 3, 3, 3), after=uneven, **same)
    if clip is not None:
        weights.extend(numpy_helper.from_array(np.array(end, np.float32), f"end{end}") for end in clip)
    between = then("Relu", a) if clip is None else then("Clip", a, *(f"end{end}" for end in clip))
    b = layer("Conv", between, "b", (16, 1, 3, 3), before=uneven, after=uneven, group=16, **same)
    c = layer("Conv", then("LeakyRelu", b, alpha=0.1), "c", (8, 16, 3, 3), before=uneven, bias=False, **same)
    pooled = then("MaxPool", then("Relu", c), kernel_shape=[4, 4], strides=[4, 4])
    d = layer("Gemm", then("Flatten", pooled), "d", (12, 128), transB=1)
    layer("Gemm", then("Relu", d), "e", (10, 12), transB=1)
    return model_of(nodes, weights, [("x", (1, 3, 16, 16))], [("e", (1, 10))])


def prepared(folder, **options):
    saved(chain(**options), folder)
    return read(folder / "net.onnx")


def outputs(model):
    indices = tuple(range(HELD_OUT.count))
    return np.stack([found[0] for found in values_of(model, ["e"], Subset(HELD_OUT, indices), 1)])


def quantize(model, path, ranges):
    qdq.emit(model, path, SCHEME, ranges)


def found(model, folder, samples=CALIBRATION):
    return equalized(model, quantize, folder / "x.onnx", samples, threads=1, progress=no_progress)


def test_layers_are_paired_through_homogeneous_operators(tmp_path):
    pairs = pairs_of(prepared(tmp_path))
    assert [(p.first.name, p.second.name, p.channels, p.columns) for p in pairs] == [
        ("a", "b", 16, 1),
        ("b", "c", 16, 1),
        ("c", "d", 8, 16),
        ("d", "e", 12, 1),
    ]


def test_factors_leave_the_float_outputs_as_they_are(tmp_path):
    model, rng = prepared(tmp_path), np.random.default_rng(0)
    changed = scaled(model, {p.first.name: rng.integers(0, 24, p.channels) for p in pairs_of(model)})
    before, after = outputs(model), outputs(changed)
    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()
    for name in ("a.w", "a.b", "d.w", "e.w"):
        old, new = (next(i for i in m.graph.initializer if i.name == name) for m in (model, changed))
        assert not np.array_equal(array(old), array(new))


@pytest.mark.parametrize(("clip", "paired"), [((0.0,), True), ((0.0, 6.0), False), ((-1.0, 1.0), False)])
def test_a_clip_with_an_upper_bound_separates_layers(clip, paired, tmp_path):
    firsts = [p.first.name for p in pairs_of(prepared(tmp_path, clip=clip))]
    assert ("a" in firsts) == paired and {"b", "c", "d"} <= set(firsts)


def test_layers_whose_tensors_others_read_are_not_paired(tmp_path):
    net = chain()
    net.graph.output.append(helper.make_tensor_value_info("a.Relu", onnx.TensorProto.FLOAT, None))
    net.graph.node.append(helper.make_node("Identity", ["c.w"], ["weights"], name="weights"))
    net.graph.output.append(helper.make_tensor_value_info("weights", onnx.TensorProto.FLOAT, None))
    onnx.save(net, str(tmp_path / "net.onnx"))
    assert [p.first.name for p in pairs_of(read(tmp_path / "net.onnx"))] == ["d"]


def test_factors_are_the_root_of_the_relative_range():
    seen = Channels.of(np.array([[[8.0, -1.0], [0.5, 0.25], [0.0, 0.0]]], np.float32))
    factors = factors_of(eighths_of(seen))
    assert factors.tolist() == pytest.approx([1.0, 0.25, 0.02**0.5], rel=0.05)


def test_a_layer_gains_where_its_channels_have_unequal_ranges(tmp_path):
    def gains(octaves):
        model = prepared(tmp_path, octaves=octaves)
        constants = {i.name: i for i in model.graph.initializer}
        pairs = pairs_of(model)[:2]
        for k, pair in enumerate(pairs):
            (values,) = zip(
                *values_of(model, [pair.tensor], Subset(CALIBRATION, tuple(range(8))), 1), strict=True
            )
            seen = Channels.of(np.concatenate(values))
            factors = factors_of(eighths_of(seen))
            yield k, gain_db(pair, array(constants[pair.second.input[1]]), seen, factors)

    even, uneven = dict(gains(0.0)), dict(gains(5.0))
    assert max(even.values()) < 3 and min(uneven.values()) > 3


def test_it_is_kept_and_reported_where_the_outputs_gain(tmp_path):
    model = prepared(tmp_path, octaves=5.0)
    kept = found(model, tmp_path)
    assert kept.result.kept and kept.result.gain_db >= 0.5
    assert {"a", "b"} <= {remedy.what for remedy in kept.changes}
    onnx.save(kept.model, str(tmp_path / "x.onnx"))
    assert as_in(model, tmp_path / "x.onnx") == kept.model
    assert as_in(model, tmp_path / "net.onnx") is model


def test_it_is_not_tried_where_channels_have_equal_ranges(tmp_path):
    saved(residual(channels=32), tmp_path)
    model = read(tmp_path / "net.onnx")
    left = found(model, tmp_path)
    assert left.model is model and left.changes == () and "channels are alike" in left.result.why


def test_it_needs_enough_samples(tmp_path):
    left = found(prepared(tmp_path, octaves=5.0), tmp_path, Rows(images(31)))
    assert not left.result.kept and "fewer than 32 samples" in left.result.why


@pytest.mark.arithmetic
def test_a_conversion_gains_by_it_and_is_explained_with_the_equalized_weights(tmp_path):
    net = saved(chain(octaves=5.0), tmp_path)

    def made(repairs):
        return make(
            CANDIDATE,
            net,
            CALIBRATION,
            HELD_OUT,
            same_samples=False,
            gate=Gate(),
            workdir=tmp_path / repairs,
            options=Options(calibrator="minmax", passes=passes_of(repairs)),
        )

    even, plain = made("equalize,fit"), made("fit")
    assert even.fidelity.outputs[0].sqnr_db > plain.fidelity.outputs[0].sqnr_db + 1
    assert [t.why for t in plain.fidelity.repairs if t.repair == "equalize"] == [OFF]
    layers = explain(
        tmp_path / "net.onnx",
        even.path,
        even.plan,
        even.fidelity,
        Rows(images(8, seed=5)),
        saturates=False,
        threads=1,
        progress=no_progress,
    )
    assert all(layer.error < 0.1 for layer in layers if layer.scheme != "float")
    assert any("cross-layer equalization" in how for layer in layers for how in layer.remedies)
