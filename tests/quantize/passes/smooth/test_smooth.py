"""SmoothQuant: outlier channels are scaled down, float's outputs stay the same, and only what gains is kept."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.ort_session import ort_session
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.backends.ort.dynamic import quantized
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes.smooth import smoothed
from edgeq.quantize.passes.smooth.sites import scaled, sites_of
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, model_of, saved

WIDTH, TOKENS = 48, 12


def block(outliers=3, norm="LayerNormalization", residual=True, reshape=False):
    """What follows a norm in a transformer: two products side by side, a shortcut, a GELU and a product behind it."""
    rng = np.random.default_rng(0)
    weights, nodes = {}, []
    gamma = rng.uniform(0.5, 1.5, WIDTH)
    gamma[:outliers] *= 60
    weights |= {"gamma": gamma, "beta": rng.normal(size=WIDTH)}

    def product(name, source, inputs, outputs, scale=1.0):
        weights[f"{name}.w"] = rng.normal(scale=scale / inputs**0.5, size=(inputs, outputs))
        nodes.append(helper.make_node("MatMul", [source, f"{name}.w"], [name], name=name))
        return name

    if norm == "LayerNormalization":
        nodes.append(helper.make_node(norm, ["x", "gamma", "beta"], ["n"], name="norm"))
    else:
        nodes.append(helper.make_node("ReduceMean", ["x"], ["mean"], axes=[-1], name="mean"))
        nodes.append(helper.make_node("Sub", ["x", "mean"], ["centred"], name="centre"))
        nodes.append(helper.make_node("Mul", ["gamma", "centred"], ["scaled"], name="scale"))
        nodes.append(helper.make_node("Add", ["scaled", "beta"], ["n"], name="norm"))
    weights["rows"] = np.array([TOKENS, WIDTH])
    if reshape:
        nodes.append(helper.make_node("Reshape", ["n", "rows"], ["flat"], name="flatten"))
    source = "flat" if reshape else "n"
    a, b = product("a", source, WIDTH, WIDTH), product("b", source, WIDTH, WIDTH)
    nodes.append(helper.make_node("Add", [a, b], ["ab"], name="sum"))
    if residual:
        nodes.append(helper.make_node("Add", ["ab", "n"], ["r"], name="shortcut"))
    product("y", "r" if residual else "ab", WIDTH, 8)
    shape = (TOKENS, WIDTH) if reshape else (1, TOKENS, WIDTH)
    tensors = [
        numpy_helper.from_array(v.astype(np.int64 if n == "rows" else np.float32), n)
        for n, v in weights.items()
        if n != "rows" or reshape
    ]
    out = (*shape[:-1], 8)
    return onnx.shape_inference.infer_shapes(model_of(nodes, tensors, [("x", shape)], [("y", out)]))


class Sequences(Rows):
    def __getitem__(self, i):
        return (self.rows[i],)


def sequences(model, count=24, seed=1):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    return Sequences(np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32))


def answer(model, rows):
    session = ort_session(model, threads=1)
    return np.stack([session.run(None, {"x": rows[i][0]})[0] for i in range(rows.count)])


def decibels(exact, found):
    return 10 * np.log10(np.sum(exact**2) / np.sum((exact - found) ** 2))


@pytest.mark.parametrize(
    "network",
    [{}, {"norm": "in parts"}, {"residual": False}, {"reshape": True}, {"reshape": True, "residual": False}],
    ids=str,
)
def test_factors_leave_the_results_as_they_are(network):
    model = block(**network)
    rng = np.random.default_rng(2)
    sites = sites_of(model)
    assert [len(s.products) for s in sites] == [2, 1]
    assert [bool(s.folds) for s in sites] == [True, False]
    changed = scaled(model, {s.tensor: rng.uniform(0.1, 10, s.channels).astype(np.float32) for s in sites})
    onnx.checker.check_model(changed, full_check=True)
    rows = sequences(model, 3)
    np.testing.assert_allclose(answer(changed, rows), answer(model, rows), rtol=1e-4, atol=1e-4)
    behind_the_norm = network.get("residual", True)
    assert [n.op_type for n in changed.graph.node].count("Mul") == 1 + behind_the_norm + ("norm" in network)


@pytest.mark.arithmetic
def test_outlier_channels_are_smoothed_and_the_gain_is_reported():
    model = block()
    found = smoothed(model, quantized, sequences(model), threads=1, progress=no_progress)
    rows = sequences(model, seed=2)
    exact = answer(model, rows)
    plain, smooth = (decibels(exact, answer(quantized(m), rows)) for m in (model, found.model))
    assert smooth > plain + 4
    norm = found.changes[0]
    assert norm.what == "LayerNormalization: norm"
    assert norm.how == "outlier channels smoothed into the weights, folded into it (SmoothQuant)"
    assert norm.gain_db == pytest.approx(smooth - plain, abs=1.5)


def test_a_model_without_outlier_channels_is_left_as_it_is():
    model = block(outliers=0)
    found = smoothed(model, quantized, sequences(model), threads=1, progress=no_progress)
    assert found.model is model
    assert found.changes == ()


def test_a_shared_weight_is_copied():
    model = block(residual=False)
    model.graph.node[-1].input[1] = "a.w"
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, (1, TOKENS, WIDTH)))
    (site, _) = sites_of(model)
    changed = scaled(model, {site.tensor: np.full(WIDTH, 4, np.float32)})
    rows = sequences(model, 2)
    np.testing.assert_allclose(answer(changed, rows), answer(model, rows), rtol=1e-4, atol=1e-4)


def test_a_norm_that_is_an_output_is_not_changed():
    model = block()
    model.graph.output.append(helper.make_tensor_value_info("n", 1, (1, TOKENS, WIDTH)))
    assert sites_of(model)[0].folds == ()


@pytest.mark.arithmetic
def test_dynamic_int8_is_smoothed_where_there_are_calibration_samples(tmp_path):
    model = block()
    plan = CandidatePlan("onnxruntime-int8_dynamic", "onnxruntime", "int8_dynamic", "onnx", "a test")
    source, rows = saved(model, tmp_path), sequences(model, seed=3)

    def made(calibration, name, effort="default"):
        options = Options(effort=effort)
        return make(
            plan,
            source,
            calibration,
            rows,
            same_samples=False,
            gate=Gate(),
            workdir=tmp_path / name,
            options=options,
        ).fidelity

    without, with_samples = made(None, "without"), made(sequences(model), "with")
    assert without.remedies == ()
    assert {r.what for r in with_samples.remedies} >= {"LayerNormalization: norm"}
    assert with_samples.outputs[0].sqnr_db > without.outputs[0].sqnr_db + 4
    assert {a.operator: (a.integer, a.total) for a in with_samples.fusion} == {"MatMul": (3, 3)}
    quick = made(sequences(model), "quick", effort="quick")
    assert quick.remedies == ()
    assert {r.repair: r.why for r in quick.repairs}["smooth"] == "not with --effort quick"
