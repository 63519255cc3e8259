"""Which candidates a plan has, in which order, and why not the others."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq import catalog
from edgeq.errors import DataRefused, ModelRefused, TargetRefused
from edgeq.quantize.plan import make_plan
from edgeq.quantize.scheme import scheme_for
from tests.quantize import tflite_networks
from tests.quantize.networks import model_of, residual, saved
from tests.train.a_training import trained_file

RECIPES = tuple(catalog.recipe(name) for name in catalog.recipe_names())


def plan(model, target="rpi4", *, data=True, **asked):
    return make_plan(model, catalog.target(target), RECIPES, has_data=data, **asked)


def ids(found):
    return [c.id for c in found.candidates]


def reasons(found):
    return {s.what: s.reason for s in found.skipped}


@pytest.fixture
def convolutions(tmp_path):
    return saved(residual(), tmp_path)


@pytest.fixture
def both_formats(convolutions, tmp_path):
    """As a torch source gives them."""
    file = tflite_networks.convolution(tmp_path / "net.tflite")
    return replace(convolutions, files={**convolutions.files, "tflite": str(file)})


@pytest.fixture
def dense(tmp_path):
    weight = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")
    return saved(model_of([node], [weight], [("x", (1, 64))], [("y", (1, 64))]), tmp_path, "dense")


def test_a_torch_source_gets_int8_and_float_on_both_runtimes_fastest_first(both_formats):
    assert ids(plan(both_formats)) == [
        "litert-int8_static",
        "onnxruntime-int8_static",
        "litert-float",
        "onnxruntime-float",
    ]


def test_without_vnni_the_int8_of_litert_is_expected_after_float(both_formats):
    found = plan(both_formats, "x86-64")
    assert ids(found) == [
        "onnxruntime-int8_static",
        "litert-float",
        "onnxruntime-float",
        "litert-int8_static",
    ]
    assert "slower than float on x86 without VNNI" in found.candidates[-1].reason
    own_flags = make_plan(both_formats, catalog.target("x86-64-vnni"), RECIPES, isa=("avx2",), has_data=True)
    assert ids(own_flags) == ids(found)
    assert ids(plan(both_formats, "x86-64-vnni"))[0] == "litert-int8_static"


def test_litert_has_the_trained_network_too(both_formats):
    trained = replace(both_formats, networks=(trained_file("trained.onnx", "trained.tflite"),))
    found = plan(trained)
    assert set(ids(found)[:3]) == {
        "litert-trained_static",
        "litert-int8_static",
        "onnxruntime-trained_static",
    }
    assert ids(found).index("litert-trained_static") < ids(found).index("litert-int8_static")
    assert [c.id for c in found.fallbacks] == ["litert-int16x8_static"]
    assert "litert-int8_static" in ids(plan(trained, recipe="int8_static"))


def test_each_of_several_trained_networks_is_a_candidate(both_formats):
    networks = (
        trained_file("a.onnx", "a.tflite"),
        trained_file("b.onnx", why_no_tflite="no", variant="4bit"),
    )
    found = plan(replace(both_formats, networks=networks), recipe="auto")
    trained = {c.id: c.network for c in found.candidates if c.recipe == "trained_static"}
    assert trained == {
        "litert-trained_static": "",
        "onnxruntime-trained_static": "",
        "onnxruntime-trained_static-4bit": "4bit",
    }
    assert reasons(found)["litert trained_static 4bit"] == "no"
    assert {"onnxruntime-int8_static", "onnxruntime-int8_static-4bit"} <= {c.id for c in found.candidates}


def test_where_litert_cannot_have_it_static_int8_is_built_and_the_reason_given(both_formats):
    why = "activations of 4 bits have no TFLite form: only onnxruntime runs them"
    found = plan(replace(both_formats, networks=(trained_file("trained.onnx", why_no_tflite=why),)))
    assert "litert-int8_static" in ids(found) and "onnxruntime-trained_static" in ids(found)
    assert reasons(found)["litert trained_static"] == why


@pytest.mark.parametrize(
    ("target", "scheme"),
    [("rpi4", "S8S8 per channel"), ("x86-64-vnni", "U8S8 per channel")],
)
def test_the_scheme_is_in_the_candidate(convolutions, target, scheme):
    assert str(plan(convolutions, target).candidates[0].scheme) == scheme


def test_the_devices_own_flags_win_over_the_targets(convolutions):
    found = make_plan(convolutions, catalog.target("x86-64-vnni"), RECIPES, isa=("avx2",), has_data=True)
    assert found.candidates[0].scheme.pairs_fit
    assert "saturate" in found.candidates[0].reason


def test_dynamic_int8_takes_seven_bits_where_pairs_saturate(dense):
    schemes = {
        target: {c.id: c.scheme for c in plan(dense, target).candidates}["onnxruntime-int8_dynamic"]
        for target in ("x86-64", "x86-64-vnni", "rpi4")
    }
    assert schemes["x86-64"].reduce_range
    assert schemes["x86-64-vnni"] is schemes["rpi4"] is None


@pytest.mark.parametrize("flag", ["avx_vnni", "avx512_vnni", "amx_int8"])
def test_any_vnni_takes_the_full_range(flag):
    assert not scheme_for("onnxruntime", "x86_64", ("avx2", flag))[0].pairs_fit


def test_one_file_for_two_tflite_runtimes_and_the_second_where_the_first_is_not(both_formats):
    assert "same file as litert" in reasons(plan(both_formats))["tflite-runtime"]
    found = plan(both_formats, unavailable={"litert": "no wheel for Python 3.9"})
    assert ids(found)[0] == "tflite-runtime-int8_static"
    assert reasons(found)["litert"] == "no wheel for Python 3.9"


def test_half_precision_only_where_the_core_computes_in_it(convolutions):
    assert "onnxruntime-fp16" in ids(plan(convolutions, "rpi5"))
    assert "no asimdhp" in reasons(plan(convolutions, "rpi4"))["onnxruntime fp16"]
    assert "float32" in reasons(plan(convolutions, "x86-64"))["onnxruntime fp16"]


def test_dynamic_int8_where_matrices_dominate(convolutions, dense):
    assert ids(plan(dense))[0] == "onnxruntime-int8_dynamic"
    assert "convolutions would stay in float" in reasons(plan(convolutions))["onnxruntime int8_dynamic"]
    assert ids(plan(dense, data=False)) == ["onnxruntime-int8_dynamic", "onnxruntime-float"]
    assert "onnxruntime-int8_dynamic" in ids(plan(convolutions, recipe="int8_dynamic"))


def test_a_gru_is_a_reason_for_dynamic_int8(tmp_path):
    shapes = {"w": (1, 96, 8), "r": (1, 96, 32)}
    weights = [numpy_helper.from_array(np.ones(s, np.float32), n) for n, s in shapes.items()]
    node = helper.make_node("GRU", ["x", "w", "r"], ["y"], name="cell", hidden_size=32)
    model = saved(model_of([node], weights, [("x", (5, 1, 8))], [("y", (5, 1, 1, 32))]), tmp_path)
    found = plan(model, data=False).candidates[0]
    assert found.id == "onnxruntime-int8_dynamic"
    assert found.reason == "100% of the work and 100% of the weights are those of GRU"


def test_fixed_ranges_for_a_small_part_are_not_expected_to_be_fast(tmp_path):
    shapes = {"w": (1, 96, 8), "r": (1, 96, 32), "head": (32, 4)}
    weights = [numpy_helper.from_array(np.ones(s, np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("GRU", ["x", "w", "r"], ["", "last"], name="cell", hidden_size=32),
        helper.make_node("MatMul", ["last", "head"], ["y"], name="scores"),
    ]
    model = saved(model_of(nodes, weights, [("x", (5, 1, 8))], [("y", (1, 1, 4))]), tmp_path)
    assert ids(plan(model))[:2] == ["onnxruntime-int8_dynamic", "onnxruntime-int8_static"]


def test_litert_takes_whole_networks_as_they_come(both_formats, dense, tmp_path):
    file = tflite_networks.dense(tmp_path / "dense.tflite")
    both = replace(dense, files={**dense.files, "tflite": str(file)})
    assert ids(plan(both))[:2] == ["litert-int8_dynamic", "onnxruntime-int8_dynamic"]
    assert "faster with static ranges" in reasons(plan(both_formats))["litert int8_dynamic"]
    assert ids(plan(both_formats, data=False)) == ["litert-int8_dynamic", "litert-float", "onnxruntime-float"]


def test_no_data_is_refused_with_the_alternatives(convolutions):
    with pytest.raises(DataRefused) as refused:
        plan(convolutions, "rpi5", data=False)
    for word in ("--data", "--recipe int8_dynamic", "--recipe fp16", "--recipe float"):
        assert word in refused.value.remedy
    with pytest.raises(DataRefused):
        plan(convolutions, recipe="int8_static", data=False)
    assert ids(plan(convolutions, recipe="float", data=False)) == ["onnxruntime-float"]


def test_an_onnx_source_for_a_tflite_only_target_is_refused_with_what_would_work(convolutions):
    with pytest.raises(ModelRefused) as refused:
        plan(convolutions, "rpi4-32bit")
    assert "torch source" in refused.value.remedy
    assert "onnxruntime" in refused.value.remedy


def test_a_quantized_source_goes_as_it_is(convolutions):
    quantized = replace(convolutions, quantized="QDQ int8")
    assert ids(plan(quantized)) == ["onnxruntime-as_is"]
    with pytest.raises(ModelRefused, match="quantized already"):
        plan(quantized, recipe="int8_static")
    saturating = {
        t: plan(quantized, t).candidates[0].pairs_saturate for t in ("x86-64", "x86-64-vnni", "rpi4")
    }
    assert saturating == {"x86-64": True, "x86-64-vnni": False, "rpi4": False}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"runtime": "tensorrt"}, "has no runtime 'tensorrt'"),
        ({"recipe": "int3"}, "no recipe 'int3'"),
        ({"recipe": "fp16"}, "--recipe fp16 cannot be built"),
        (
            {"unavailable": dict.fromkeys(("litert", "onnxruntime", "tflite-runtime"), "no wheel")},
            "no runtime",
        ),
    ],
)
def test_contradictions_are_refused(convolutions, asked, says):
    with pytest.raises(TargetRefused, match=says):
        plan(convolutions, **asked)


def test_int16_activations_are_the_way_out_for_litert_or_built_when_asked(both_formats):
    (fallback,) = plan(both_formats).fallbacks
    assert (fallback.id, str(fallback.scheme)) == ("litert-int16x8_static", "S16S8 per channel")
    asked = plan(both_formats, recipe="int16x8_static")
    assert ids(asked) == ["litert-float", "onnxruntime-float", "litert-int16x8_static"]
    assert asked.fallbacks == ()
    assert plan(both_formats, recipe="int8_static").fallbacks == ()


def test_a_trained_network_takes_the_place_of_static_int8(both_formats):
    trained = replace(both_formats, networks=(trained_file("trained.onnx"),))
    found = plan(trained)
    assert "onnxruntime-trained_static" in ids(found) and "onnxruntime-int8_static" not in ids(found)
    assert "the trained network takes its place" in reasons(found)["onnxruntime int8_static"]
    both = plan(trained, recipe="int8_static")
    assert "onnxruntime-int8_static" in ids(both) and "onnxruntime-trained_static" not in ids(both)


@pytest.mark.parametrize(
    ("target", "scheme"),
    [("rpi4", "S8S8"), ("x86-64-vnni", "U8S8"), ("x86-64", "U8S8 per channel, 16-bit headroom")],
)
def test_a_trained_network_has_the_integers_of_the_target(both_formats, target, scheme):
    found = plan(replace(both_formats, networks=(trained_file("trained.onnx"),)), target)
    (candidate,) = [c for c in found.candidates if c.id == "onnxruntime-trained_static"]
    assert str(candidate.scheme).startswith(scheme)


def test_without_a_trained_network_only_who_asks_for_one_hears_of_it(both_formats):
    assert not any("trained" in what for what in reasons(plan(both_formats)))
    with pytest.raises(TargetRefused, match="trained_static cannot be built") as refused:
        plan(both_formats, recipe="trained_static")
    assert any("edgeq finetune" in line for line in refused.value.details)


def test_everything_that_is_not_planned_has_a_reason(both_formats):
    found = plan(replace(both_formats, networks=(trained_file("trained.onnx"),)))
    made = {(c.runtime, c.recipe) for c in (*found.candidates, *found.fallbacks)}
    for runtime in ("litert", "onnxruntime"):
        for recipe in (catalog.recipe(name) for name in catalog.recipe_names()):
            if runtime in recipe.runtimes:
                assert (runtime, recipe.name) in made or reasons(found)[f"{runtime} {recipe.name}"]


def test_the_plan_says_what_weights_of_few_bits_gain(convolutions, tmp_path):
    """Faster where a kernel takes them, else only smaller."""
    dense = tflite_networks.dense(tmp_path / "dense.tflite")
    file = trained_file("trained.onnx")
    four_bits = replace(file, training=replace(file.training, weight_bits=4))
    why = {
        name: {
            c.id: c.reason for c in plan(replace(convolutions, files=files, networks=(four_bits,))).candidates
        }
        for name, files in {
            "dense": {**convolutions.files, "tflite": str(dense)},
            "convolution": {
                **convolutions.files,
                "tflite": str(tflite_networks.convolution(tmp_path / "convolution.tflite")),
            },
        }.items()
    }
    assert "4-bit kernels: faster where large" in why["dense"]["litert-trained_static"]
    assert "only smaller to send" in why["convolution"]["litert-trained_static"]
    assert "only smaller to send" in why["dense"]["onnxruntime-trained_static"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"weight_bits": 4}, "fully connected layers whose integers fit into 4 bits have kernels"),
        (
            {"weight_bits": 2, "levels": "ternary"},
            "2-bit weights (ternary), which are int8 on the device and",
        ),
        ({"weight_bits": 5}, "only smaller to send, not faster"),
        ({"weight_bits": 4, "levels": "codebook"}, "only smaller to send, not faster"),
    ],
)
def test_without_training_only_layers_that_fit_have_a_kernel(asked, says, convolutions, tmp_path):
    """Codebooks have integers up to 127."""
    dense = tflite_networks.dense(tmp_path / "dense.tflite")
    files = {**convolutions.files, "tflite": str(dense)}
    why = {c.id: c.reason for c in plan(replace(convolutions, files=files), **asked).candidates}
    assert says in why["litert-int8_static"]
    assert "only smaller to send, not faster" in why["onnxruntime-int8_static"]


def test_auto_builds_every_recipe_that_can_be_and_fewer_bits_beside_static_int8(both_formats):
    found = plan(both_formats, recipe="auto")
    made = ids(found)
    assert made[:5] == ["litert-int8_static", *(f"litert-int8_static-{bits}bit" for bits in (6, 5, 4, 3))]
    assert {
        "onnxruntime-int8_static",
        "onnxruntime-int8_static-4bit",
        "litert-int8_dynamic",
        "litert-int16x8_static",
    } < set(made)
    assert not found.fallbacks
    floats = max(made.index("litert-float"), made.index("onnxruntime-float"))
    assert made.index("litert-int8_dynamic") > floats > made.index("onnxruntime-int8_static-3bit")
    bits = {c.id: c.weight_bits for c in found.candidates}
    assert bits["litert-int8_static-3bit"] == 3.0 and bits["litert-int8_static"] is None
    four = next(c for c in found.candidates if c.id == "onnxruntime-int8_static-4bit")
    assert "the kernels of onnxruntime-int8_static, smaller to send" in four.reason
    assert "no float16" in reasons(plan(both_formats, "x86-64-vnni", recipe="auto"))["onnxruntime fp16"]


def test_auto_says_why_there_are_no_fewer_bits(convolutions):
    found = plan(convolutions, recipe="auto", why_not_fewer="--passes -fit leaves out `fit`")
    assert not any(c.weight_bits for c in found.candidates)
    assert reasons(found)["onnxruntime int8_static with fewer bits"] == "--passes -fit leaves out `fit`"


def test_auto_without_samples_needs_a_recipe_that_takes_none(convolutions, dense):
    with pytest.raises(DataRefused, match="needs calibration samples"):
        plan(convolutions, data=False, recipe="auto")
    assert "onnxruntime-int8_dynamic" in ids(plan(dense, data=False, recipe="auto"))
