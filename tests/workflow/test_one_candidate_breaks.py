"""A candidate that cannot be built spoils no other and ends no run: it is left out with its reason and what to do."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.conversion.make_candidates import _all_that_can_be
from edgeq.conversion.time_budget import TimeBudget
from edgeq.errors import ConversionFailed, GateFailed
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.nouns.target import FORMATS
from edgeq.quantize import pipelines
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(0)


@pytest.fixture
def net(tmp_path):
    """A matrix product and, behind it, a slice of it without values."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"], "product"),
            helper.make_node("Slice", ["y", "first", "first"], ["nothing"], "cut"),
            helper.make_node("Concat", ["y", "nothing"], ["z"], "join", axis=0),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 32])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 16])],
        [
            numpy_helper.from_array(RNG.normal(size=(32, 16)).astype(np.float32), "w"),
            numpy_helper.from_array(np.array([0]), "first"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    x = RNG.normal(size=(20, 4, 32)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    return {
        "model": str(tmp_path / "net.onnx"),
        "data": str(tmp_path / "data.npz"),
        "target": "x86-64-vnni",
        "runtime": "onnxruntime",
        "output": tmp_path / "net.edgeq",
    }


@pytest.fixture
def breaking(monkeypatch):
    """The recipes named are written by a library that fails in words of its own."""
    usual = pipelines.run

    def breaks(*recipes):
        def run(quantization, context):
            if quantization.candidate.recipe in recipes:
                raise KeyError(f"no rule for {quantization.candidate.recipe}")
            return usual(quantization, context)

        monkeypatch.setattr(pipelines, "run", run)

    return breaks


def converted(order, **options):
    told = []
    conversion = convert(**order, **options, tell=told.append)
    return conversion, [n.text for n in told if isinstance(n, Note)]


def test_a_layer_that_reads_no_values_stays_in_float_alone(net):
    conversion, _ = converted(net, recipe="int8_static")
    (static,) = (f for f in conversion.fidelity if f.candidate.endswith("int8_static"))
    why = "nothing has no values, so there is no range for it"
    assert {s.what: s.reason for s in static.float_layers} == {"cut": why, "join": why}
    assert [a.integer for a in static.fusion] == [1]


def test_the_others_are_built_and_it_is_reported(net, breaking):
    breaking("int8_static")
    conversion, notes = converted(net)
    built = {"onnxruntime-int8_dynamic", "onnxruntime-float"}
    assert {c.id for c in conversion.plan.candidates} == built
    assert {c.id for c in conversion.bundle.manifest.candidates} == built
    (reason,) = (s.reason for s in conversion.plan.skipped if s.what == "onnxruntime-int8_static")
    assert "KeyError: 'no rule for int8_static'" in reason
    assert any(
        note.startswith("onnxruntime-int8_static was left out because it could not be built: ")
        for note in notes
    )


@pytest.mark.parametrize(
    ("recipe", "remedy"),
    [
        (
            "int8_static",
            "try --passes none or another --calibrator; or choose another --recipe or --runtime",
        ),
        ("int8_dynamic", "choose another --recipe or --runtime"),
    ],
)
def test_what_failed_is_said_once_and_what_may_help(net, breaking, recipe, remedy):
    breaking(recipe)
    conversion, notes = converted(net)
    why = f"KeyError: 'no rule for {recipe}'; {remedy}"
    assert f"onnxruntime-{recipe} was left out because it could not be built: {why}" in notes
    reasons = {s.what: s.reason for s in conversion.plan.skipped}
    assert reasons[f"onnxruntime-{recipe}"] == f"could not be built: {why}"


def test_float_is_left_where_nothing_else_can_be_built(net, breaking):
    breaking("int8_static", "int8_dynamic")
    conversion, notes = converted(net)
    assert [c.id for c in conversion.bundle.manifest.candidates] == ["onnxruntime-float"]
    assert sum("could not be built" in note for note in notes) == 2


def test_what_was_asked_for_and_breaks_is_an_error_of_our_own(net, breaking):
    breaking("int8_static")
    with pytest.raises(ConversionFailed, match="onnxruntime-int8_static could not be built"):
        convert(**net, recipe="int8_static")
    assert not net["output"].exists()


def test_a_fallback_that_breaks_hides_no_verdict(tmp_path, breaking):
    """Int8 fails its gate; int16, which is then tried, cannot be built: the gate's figures are what is reported."""
    pytest.importorskip("litert_quantizer")
    from tests.quantize.tflite_networks import convolution

    breaking("int16x8_static")
    pixels = RNG.normal(size=(20, 16, 16, 16)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=pixels)
    told = []
    with pytest.raises(GateFailed, match="SQNR"):
        convert(
            str(convolution(tmp_path / "conv.tflite")),
            target="x86-64-vnni",
            data=str(tmp_path / "data.npz"),
            gates=Gates(min_sqnr_db=60.0),
            passes="-mixed,-head",
            output=tmp_path / "conv.edgeq",
            tell=told.append,
        )
    notes = [n.text for n in told if isinstance(n, Note)]
    assert any(
        n.startswith("litert-int16x8_static was left out because it could not be built: ") for n in notes
    )


class Built:
    """Stands for what make() gives: only its plan is asked for, and whether the gate let it pass."""

    def __init__(self, plan):
        self.plan = plan
        self.fidelity = self

    passed = True


def all_but(*broken, asked=None):
    """Of both runtimes' static int8 and float, those that could be built."""

    def built(candidate):
        if candidate.id in broken:
            raise ConversionFailed(f"no rule for {candidate.id}", "leave it")
        return Built(candidate)

    plans = tuple(
        CandidatePlan(f"{runtime}-{recipe}", runtime, recipe, FORMATS[runtime], "")
        for recipe in ("int8_static", "float")
        for runtime in ("litert", "onnxruntime")
    )
    made, left_out = _all_that_can_be(plans, asked, built, lambda noun: None, TimeBudget(0.0, None))
    assert left_out.keys() == set(broken)
    return {one.plan.id for one in made}


def test_one_runtime_on_which_the_asked_recipe_or_float_breaks_leaves_the_other():
    assert all_but("litert-int8_static", asked="int8_static") >= {
        "onnxruntime-int8_static",
        "onnxruntime-float",
    }
    assert all_but("litert-float") >= {"litert-int8_static", "onnxruntime-float"}


@pytest.mark.parametrize(("recipe", "asked"), [("int8_static", "int8_static"), ("float", None)])
def test_what_breaks_on_every_runtime_is_an_error_where_it_is_needed(recipe, asked):
    with pytest.raises(ConversionFailed, match=f"no rule for litert-{recipe}"):
        all_but(f"litert-{recipe}", f"onnxruntime-{recipe}", asked=asked)
