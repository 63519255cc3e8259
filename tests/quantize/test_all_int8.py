"""Whether small convolutions are faster in int8 depends on threads and CPU: then a second candidate has them so."""

from dataclasses import replace

import onnx
import pytest

from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.made import Made
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import Rows, images, residual, saved
from tests.quantize.passes.test_small_convs import network

VNNI = Scheme("uint8", "int8", True, thin_in_float=True)
PLAIN, ALL = "onnxruntime-int8_static", "onnxruntime-int8_static-all-int8"


def made(tmp_path, scheme=VNNI, threads=2, channels=3, gate=5.0) -> Made:
    plan = CandidatePlan(PLAIN, "onnxruntime", "int8_static", "onnx", "a test", scheme=scheme)
    return make(
        plan,
        saved(network(channels), tmp_path),
        Rows(images(8, seed=1, shape=(channels, 16, 16))),
        Rows(images(8, shape=(channels, 16, 16))),
        same_samples=False,
        gate=Gate(min_sqnr_db=gate),
        workdir=tmp_path / "work",
        options=Options(threads=threads),
    )


def in_float(one: Made, weights="first_w") -> bool:
    """Whether these weights, of the first convolution, are stored as floats."""
    return weights in {i.name for i in onnx.load(one.path).graph.initializer}


def test_the_second_file_has_the_first_convolution_in_int8(tmp_path):
    plain, second = made(tmp_path).all_of_it

    assert (plain.plan.id, second.plan.id) == (PLAIN, ALL)
    assert in_float(plain) and not in_float(second)
    assert second.fidelity.passed and second.fidelity.outputs != plain.fidelity.outputs
    assert second.plan.reason.endswith("1 more operator in int8: which is faster depends on the device")
    assert {r.repair: r.kept for r in second.fidelity.repairs}["thin"] is False


@pytest.mark.parametrize(
    ("scheme", "threads", "channels", "expected"),
    [
        (VNNI, 1, 3, 1),  # what the rule was measured with
        (replace(VNNI, pairs_fit=True), 1, 3, 2),  # AVX2 alone
        (VNNI, 2, 16, 1),  # no convolution is small
        (replace(VNNI, thin_in_float=False), 2, 3, 1),  # LiteRT, ARM
    ],
)
def test_only_where_the_rule_was_not_measured(tmp_path, scheme, threads, channels, expected):
    assert len(made(tmp_path, scheme, threads, channels).all_of_it) == expected


def test_a_head_that_gains_stays_in_float_in_both(tmp_path):
    plan = CandidatePlan(PLAIN, "onnxruntime", "int8_static", "onnx", "a test", scheme=VNNI)
    plain, second = make(
        plan,
        saved(residual(), tmp_path),
        Rows(images(64, seed=1)),
        Rows(images(8)),
        same_samples=False,
        gate=Gate(min_sqnr_db=5.0),
        workdir=tmp_path / "work",
        options=Options(threads=2, passes=("thin", "head")),
    ).all_of_it

    assert in_float(plain, "stem.w") and not in_float(second, "stem.w")
    assert in_float(plain, "head.w") and in_float(second, "head.w")
    assert {r.repair: r.kept for r in second.fidelity.repairs} == {
        r.repair: r.kept and r.repair != "thin" for r in plain.fidelity.repairs
    }


def test_not_where_it_fails_the_gate(tmp_path):
    plain = made(tmp_path)
    between = (db := [one.fidelity.outputs[0].sqnr_db for one in plain.all_of_it])[1] + (db[0] - db[1]) / 2

    assert len(made(tmp_path, gate=between).all_of_it) == 1
