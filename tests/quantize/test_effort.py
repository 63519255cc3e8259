"""What each --effort does and leaves out."""

import numpy as np
import onnx
import pytest

from edgeq.quantize.effort import EFFORTS, effort_after
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import STATIC, Rows, images, residual, saved


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """By effort, of one network and the same samples; and without any pass."""
    folder = tmp_path_factory.mktemp("efforts")
    model = saved(residual(), folder)

    def one(name, **options):
        return make(
            STATIC, model, Rows(images(60)), Rows(images(20, seed=1)), same_samples=False,
            gate=Gate(ignore_labels=True), workdir=folder / name, options=Options(**options),
        )  # fmt: skip

    return {name: one(name, effort=name) for name in EFFORTS} | {
        "rounded": one("rounded", passes=(), calibrator="mse")
    }


def stored(made, kind):
    constants = onnx.load(str(made.path)).graph.initializer
    return {t.name: onnx.numpy_helper.to_array(t) for t in constants if t.data_type == kind}


def test_quick_corrects_biases_and_leaves_the_weights_as_they_are_rounded(made):
    weights, biases = onnx.TensorProto.INT8, onnx.TensorProto.INT32
    quick, rounded = made["quick"], made["rounded"]
    assert all(np.array_equal(w, stored(rounded, weights)[n]) for n, w in stored(quick, weights).items())
    changed = [
        n for n, b in stored(quick, biases).items() if not np.array_equal(b, stored(rounded, biases)[n])
    ]
    assert changed
    assert any(
        not np.array_equal(w, stored(quick, weights)[n]) for n, w in stored(made["default"], weights).items()
    )


def test_quick_tries_no_calibrator_and_says_what_it_left_out(made):
    fidelity = made["quick"].fidelity
    assert fidelity.calibrator == "mse"
    why = {result.repair: result.why for result in fidelity.repairs}
    assert why["equalize"] == why["head"] == "not with --effort quick"
    assert not any("not with" in result.why for result in made["default"].fidelity.repairs)


def test_no_effort_is_farther_from_float_than_rounding_but_by_luck(made):
    db = {name: one.fidelity.outputs[0].sqnr_db for name, one in made.items()}
    assert all(db[name] > db["rounded"] - 0.3 for name in EFFORTS)


def test_efforts_are_listed_in_the_order_of_their_work():
    assert [*EFFORTS] == ["quick", "default", "best"]
    assert effort_after("quick") is EFFORTS["default"] and effort_after("best") is None
