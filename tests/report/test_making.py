"""What is said of the samples before any candidate is made."""

import io

from rich.console import Console

from edgeq.nouns.data import DataUse
from edgeq.nouns.effort import EffortSpent, NextEffort
from edgeq.nouns.fidelity import Accuracy, Fidelity, LayerError, OutputError
from edgeq.nouns.passes import StepCost
from edgeq.nouns.plan import CandidatePlan, Plan, Skipped
from edgeq.report.formats.text import show


def said(use: DataUse | Plan | Fidelity | EffortSpent) -> list[str]:
    out = io.StringIO()
    show(use, Console(file=out, highlight=False, soft_wrap=True), in_full=True)
    return out.getvalue().splitlines()


def test_what_the_samples_are_used_for_and_the_rule_that_judges() -> None:
    use = DataUse(
        "calib.npz",
        200,
        800,
        "top-1 may fall by at most 1 point (default)",
        labels="class numbers 0 to 9",
        metric="top-1",
        float_score=87.625,
        notes=("array y is neither a model input nor named labels: not used",),
    )
    assert said(use) == [
        "data      calib.npz   200 calibration samples, 800 evaluation samples   class numbers 0 to 9   float: top-1 87.6",
        "            array y is neither a model input nor named labels: not used",
        "gate      top-1 may fall by at most 1 point (default)",
    ]


def test_what_must_not_be_missed_stands_in_the_margin() -> None:
    use = DataUse(
        "d", 2, 2, "every output ...", warnings=("the float model is right on 0 of 2 labelled samples",)
    )
    assert said(use)[1] == "WARNING   the float model is right on 0 of 2 labelled samples"


def test_without_data() -> None:
    assert said(DataUse(None, 0, 16, "every output ...")) == [
        "data      none: random inputs, accuracy unknown",
        "gate      every output ...",
    ]


def test_an_sqnr_that_is_no_ratio_is_told_in_words() -> None:
    infinite, silent = OutputError("y", -747.1, 1e38), OutputError("y", -1998.0, 0.1)
    layers = (LayerError("first", -745.0, "rounding"), LayerError("second", 31.4, "clipping"))
    found = Fidelity("c", 8, (infinite,), passed=False, why_failed="...", worst_layers=layers)
    words = "not finite where float is, or vice versa"
    lines = said(found)
    assert words in lines[0]
    assert lines[2:] == [
        f"            worst layer: first ({words}, rounding)",
        "            worst layer: second (SQNR 31 dB, clipping)",
    ]
    assert "not zero where float is all zero" in said(Fidelity("c", 8, (silent,)))[0]


def test_a_model_that_was_quantized_by_others_is_compared_with_no_float() -> None:
    rule = "none: the source is already quantized, so there is no float model to compare with"
    alone = DataUse(None, 0, 16, rule, as_it_came=True)
    assert said(alone) == ["data      none: accuracy unknown", f"gate      {rule}"]
    use = DataUse(
        "d", 8, 8, rule, labels="class numbers 0 to 9", metric="top-1", float_score=90.0, as_it_came=True
    )
    assert said(use)[0].endswith("the model: top-1 90.0")
    same, score = (OutputError("y", None, 0.0),), Accuracy("top-1", 8, 90.0, 90.0, 0.0, 0.0, 0.0)
    for accuracy, words in (
        (None, "already quantized   on 8 samples"),
        (score, "already quantized   top-1 90.0 on 8 samples on this machine"),
    ):
        judged = Fidelity("litert-as_is", 8, same, accuracy=accuracy, as_it_came=True)
        assert said(judged) == [f"convert   litert-as_is   {words}"]


def test_where_nothing_is_quantized_it_is_said_why() -> None:
    only = CandidatePlan("onnxruntime-float", "onnxruntime", "float", "onnx", "the yardstick")
    lines = said(Plan("rpi4", (only,), (Skipped("onnxruntime int8_static", "no fixed weights"),)))
    assert lines[-1] == "              onnxruntime int8_static: no fixed weights"


def test_what_each_step_took_and_gained() -> None:
    costs = (
        StepCost("ranges", 4.2, 8.04, None),
        StepCost("fit", 1000.0, 1234.5, 1.26),
        StepCost("head", 0.01, 0.01),
    )
    assert said(Fidelity("c", 8, (OutputError("y", None, 0.0),), seconds=1004.2, costs=costs))[1:] == [
        "            step      CPU s   wall s    dB",
        "            ranges      8.0      4.2",
        "            fit     1,234.5  1,000.0  +1.3",
    ]


def test_what_the_next_effort_would_take_and_win() -> None:
    assert said(EffortSpent("default", 20.0, 14.0, NextEffort("best", 42.0, 0.12))) == [
        "effort    default: 20 s from opening the model to the bundle   --effort best: about 60 s (3.0 times as long), typically +0.1 dB"
    ]
    unmeasured = said(EffortSpent("quick", 5.0, 5.0, NextEffort("default", 15.0)))
    assert unmeasured == [
        "effort    quick: 5.0 s from opening the model to the bundle   --effort default: about 15 s (3.0 times as long)"
    ]
    assert said(EffortSpent("best", 42.0, 42.0)) == []
