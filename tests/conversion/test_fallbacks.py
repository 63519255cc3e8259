"""int16 activations where nothing in int8 is close enough, on a .tflite of one convolution."""

import numpy as np
import pytest

from edgeq.conversion.fallbacks import needed_fallbacks
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Plan
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.workflow.convert import convert
from tests.quantize.tflite_networks import convolution

pytest.importorskip("litert_quantizer")


def candidate(recipe):
    return CandidatePlan(f"litert-{recipe}", "litert", recipe, "tflite", "a test")


PLAN = Plan("t", tuple(map(candidate, ("int8_static", "float"))), (), (candidate("int16x8_static"),))
FLOAT = Fidelity("litert-float", 1, ())


@pytest.mark.parametrize(
    ("int8", "built"),
    [({}, 0), ({"passed": False}, 1), ({"passed": False, "quantized_nothing": True}, 0)],
)
def test_built_only_where_int8_failed_and_something_was_quantized(int8, built):
    assert len(needed_fallbacks(PLAN, (Fidelity("litert-int8_static", 1, (), **int8), FLOAT))) == built


def test_another_way_out_is_enough():
    plan = Plan("t", (*PLAN.candidates, candidate("int8_dynamic")), (), PLAN.fallbacks)
    failed = Fidelity("litert-int8_static", 1, (), passed=False)
    assert needed_fallbacks(plan, (failed, FLOAT, Fidelity("litert-int8_dynamic", 1, ()))) == ()


def test_a_model_that_int8_cannot_hold_is_converted_with_16_bits(tmp_path):
    source = convolution(tmp_path / "conv.tflite")
    pixels = np.random.default_rng(0).normal(size=(40, 16, 16, 16)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=pixels)
    told = []
    conversion = convert(
        str(source),
        target="x86-64-vnni",
        data=str(tmp_path / "data.npz"),
        gates=Gates(min_sqnr_db=40.0),
        passes="-mixed,-head",
        output=tmp_path / "conv.edgeq",
        tell=told.append,
    )
    assert [c.id for c in conversion.bundle.manifest.candidates] == ["litert-float", "litert-int16x8_static"]
    assert conversion.bundle.manifest.candidates[1].scheme == "S16S8 per channel"
    assert [f.passed for f in conversion.fidelity] == [False, True, True]
    assert [c.recipe for c in conversion.plan.candidates][-1] == "int16x8_static"
    said = [n.text for n in told if isinstance(n, Note)]
    assert "no int8 candidate is close enough to float; also building litert-int16x8_static" in said
