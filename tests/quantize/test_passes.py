"""Each repair can be switched off, does nothing then, and says so; what was tried is said with what it won."""

import pytest

from edgeq.nouns.passes import ALL, OFF, passes_of
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import Rows, images, residual, saved

STATIC = CandidatePlan(
    "onnxruntime-int8_static",
    "onnxruntime",
    "int8_static",
    "onnx",
    "a test",
    scheme=Scheme("uint8", "int8", True, thin_in_float=True),
)
OFFERED = ("fuse", "thin", "head", "fit")  # to static int8 on onnxruntime; "mixed" only where the gate fails


@pytest.fixture
def net(tmp_path):
    return saved(residual(channels=32), tmp_path)


def made(net, folder, repairs, gate=None):
    return make(
        STATIC,
        net,
        Rows(images(40)),
        Rows(images(20, seed=9), sha256="h" * 64),
        same_samples=False,
        gate=gate or Gate(),
        workdir=folder,
        options=Options(calibrator="minmax", passes=passes_of(repairs)),
    ).fidelity


def test_without_repairs_everything_is_rounded_and_nothing_else(net, tmp_path):
    fidelity = made(net, tmp_path / "none", "none")
    assert fidelity.remedies == () and fidelity.float_layers == ()
    assert {(t.repair, t.kept, t.why) for t in fidelity.repairs} >= {(name, False, OFF) for name in OFFERED}


def test_what_is_used_says_what_it_is_worth(net, tmp_path):
    plain, fitted = made(net, tmp_path / "none", "none"), made(net, tmp_path / "fit", "fit")
    (fit,) = [t for t in fitted.repairs if t.repair == "fit"]
    assert fit.kept and fit.gain_db > 0 and fit.why == "6 layers"
    assert fitted.outputs[0].sqnr_db > plain.outputs[0].sqnr_db
    assert {t.repair for t in fitted.repairs if t.why == OFF} == set(ALL) - {"fit", "smooth", "embeddings"}


def test_a_failed_gate_is_not_mended_where_mixed_is_off(net, tmp_path):
    strict = Gate(min_sqnr_db=45.0)
    refused = made(net, tmp_path / "off", "none", strict)
    assert not refused.passed and refused.float_layers == () and refused.worst_layers
    mended = made(net, tmp_path / "on", "mixed", strict)
    assert [(t.repair, t.kept) for t in mended.repairs][-1] == ("mixed", mended.passed)


def test_each_pass_has_its_seconds_and_what_it_gained(net, tmp_path):
    fidelity = made(net, tmp_path, "fit,head")
    costs = {cost.step: cost for cost in fidelity.costs}
    assert {"open", "ranges", "fit", "head", "judge", "audit"} <= costs.keys() and "equalize" not in costs
    gains = {result.repair: result.gain_db for result in fidelity.repairs if result.kept}
    assert costs["fit"].gain_db == gains["fit"] and costs["ranges"].gain_db is None
    assert 0 < sum(cost.seconds for cost in costs.values()) <= fidelity.seconds + 0.01
