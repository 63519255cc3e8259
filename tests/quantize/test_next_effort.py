"""What the next --effort would have taken: this one's seconds, and the counted work that is more."""

from dataclasses import replace

import pytest

from edgeq.graphs.products import Product
from edgeq.nouns.passes import OFF, PassResult, StepCost
from edgeq.quantize.counted import Counted
from edgeq.quantize.effort import EFFORTS, effort_after
from edgeq.quantize.next_effort import next_effort, seconds_of, work_of
from edgeq.quantize.quantization import Quantization
from tests.quantize.networks import STATIC, residual

# A convolution of 64 channels to 64 over 28 x 28, 20 of them; judged in 10 ms a sample.
COUNTED = Counted(
    20 * 28 * 28 * 64 * 576, (Product("conv", 1, 64, 576, 784),) * 20, calibrate=200, judged=100
)
COSTS = (StepCost("fit", 9.0, 9.0), StepCost("judge", 1.0, 1.0))


def quantization(tmp_path, results=()):
    return Quantization(STATIC, "static", 8, tmp_path / "net.onnx", residual(), results=tuple(results))


def test_each_effort_is_more_work_than_the_one_before() -> None:
    seconds = [seconds_of(effort, COUNTED, COSTS) for effort in EFFORTS.values()]
    assert list(EFFORTS) == ["quick", "default", "best"] and seconds == sorted(set(seconds))


def test_a_run_takes_what_it_took_to_judge() -> None:
    """Where nothing but runs is more, twice the time of a run is twice the estimate."""
    only_runs = replace(EFFORTS["default"], equalize=False, head=False, few_float_macs=0, fitted=0.0)
    slow = (COSTS[0], StepCost("judge", 2.1, 2.1))
    slower = (COSTS[0], StepCost("judge", 4.1, 4.1))
    ratio = seconds_of(only_runs, COUNTED, slower) / seconds_of(only_runs, COUNTED, slow)
    assert ratio == pytest.approx(2.0, rel=0.01)


def test_fitting_is_counted_by_layers_and_blocks() -> None:
    whole = work_of(EFFORTS["default"], COUNTED)
    blocks = work_of(replace(EFFORTS["default"], block=64), COUNTED)
    assert blocks.seconds < whole.seconds and blocks.runs == whole.runs
    biases = work_of(replace(EFFORTS["default"], fitted=0.0), COUNTED)
    assert biases.seconds == 0 and biases.runs > whole.runs


def test_a_pass_that_is_switched_off_is_no_more_work_with_another_effort() -> None:
    quick, default = EFFORTS["quick"], EFFORTS["default"]
    off = ("fit", "equalize", "mixed")
    more = work_of(default, COUNTED, off).runs - work_of(quick, COUNTED, off).runs
    assert work_of(default, COUNTED, off).seconds == 0 and more == 4 * 128  # the ranges are still tried


def test_the_estimate_is_of_everything(tmp_path) -> None:
    found = next_effort(quantization(tmp_path), "quick", COSTS, lambda: COUNTED)
    assert found is not None and found.effort == "default" and found.cpu_seconds > 10
    assert found.gain_db is None or found.gain_db >= 0
    without = [PassResult(name, False, OFF) for name in ("fit", "equalize", "mixed")]
    less = next_effort(quantization(tmp_path, without), "quick", COSTS, lambda: COUNTED)
    assert less is not None and less.cpu_seconds < found.cpu_seconds


def test_nothing_comes_after_the_best_and_other_methods_have_one_effort(tmp_path) -> None:
    assert effort_after("best") is None
    assert next_effort(quantization(tmp_path), "best", COSTS, lambda: COUNTED) is None
    dynamic = replace(quantization(tmp_path), method="dynamic")
    assert next_effort(dynamic, "quick", COSTS, lambda: COUNTED) is None
