"""The steps that are planned are those that a candidate reports, in that order."""

import pytest

from edgeq.graphs.products import Product
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.counted import Counted, counted
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.fit_time import seconds_by_layer, shares_before
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes import smooth
from edgeq.quantize.timetable import planned_steps, steps_to_train
from tests.quantize.networks import STATIC, Rows, images, residual, saved

FLOAT = CandidatePlan("onnxruntime-float", "onnxruntime", "float", "onnx", "")
NOT_PLANNED = ("run the float model", "keep sums within 16 bits")
WORK = Counted(10**9, (Product("conv", 1, 64, 576, 784),) * 20, calibrate=48, judged=100)


def test_what_is_counted_of_a_model(tmp_path) -> None:
    found = counted(saved(residual(channels=32), tmp_path), calibrate=40, judged=20)
    assert (found.calibrate, found.judged, len(found.products)) == (40, 20, 6)
    assert found.macs == sum(p.groups * p.rows * p.length * p.columns for p in found.products)


def test_every_step_of_a_plan_in_its_order() -> None:
    steps = [*planned_steps((STATIC, FLOAT), WORK, Options(effort="best"))]
    ours, once = STATIC.id, ["fit weights and biases", "check the fit"]
    judged = ["compare with float", "read the runtime's graph"]
    made = ["equalize channels", "compare with equalized channels", "prepare the graph", "calibrate"]
    made += ["choose ranges", *once, "try the last layer in float", "write the file", *judged]
    few = ["rank layers by their error", "try a few layers in float", *once, *judged]
    assert [(step.of, step.name) for step in steps] == [
        *((ours, name) for name in (*made, *few)),
        *((FLOAT.id, name) for name in ("write the file", *judged)),
    ]
    assert [step.name for step in steps if step.forks == 1] == [made[1], few[0]]
    assert [step.name for step in steps if step.forks == 2] == few[1:]
    assert steps[-2].seconds == pytest.approx(3.0)  # 100 runs of 10^9 at 3e-11 s


def test_what_is_not_asked_for_is_not_planned() -> None:
    asked = Options(calibrator="minmax", passes=())
    names = [step.name for step in planned_steps((STATIC,), WORK, asked)]
    assert names == [
        "prepare the graph",
        "calibrate",
        "write the file",
        "compare with float",
        "read the runtime's graph",
    ]


def test_smoothing_is_planned_where_the_effort_has_it() -> None:
    dynamic = CandidatePlan("onnxruntime-int8_dynamic", "onnxruntime", "int8_dynamic", "onnx", "")
    for effort, planned in (("quick", False), ("default", True)):
        names = [step.name for step in planned_steps((dynamic,), WORK, Options(effort=effort))]
        assert (smooth.STAGE in names) == planned


def test_a_candidate_that_was_made_before_is_only_judged() -> None:
    steps = planned_steps((STATIC, FLOAT), WORK, Options(), known={STATIC.id})
    assert [step.name for step in steps if step.of == STATIC.id] == ["compare with float"]


def test_fitting_biases_alone_is_planned_as_such() -> None:
    def fit(effort: str) -> float:
        steps = planned_steps((STATIC,), WORK, Options(effort=effort))
        return sum(step.seconds for step in steps if step.name == "fit weights and biases")

    assert fit("quick") < fit("default") / 2


def test_a_candidate_reports_its_planned_steps(tmp_path) -> None:
    told: list[tuple[str, float]] = []
    model = saved(residual(channels=32), tmp_path)
    make(
        STATIC,
        model,
        Rows(images(40)),
        Rows(images(20, seed=9), sha256="h" * 64),
        same_samples=False,
        gate=Gate(min_sqnr_db=1.0),
        workdir=tmp_path / "work",
        options=Options(passes=("fit", "head")),
        progress=lambda step, share: told.append((step, share)),
    )
    seen = list(dict.fromkeys(step for step, _ in told))
    planned = [
        step.name
        for step in planned_steps((STATIC,), counted(model, 40, 20), Options(passes=("fit", "head")))
    ]
    assert [step for step in seen if step in planned] == planned
    assert all((step, 0.0) in told for step in planned)
    known = {*planned, *NOT_PLANNED}
    told_of_fit = [share for step, share in told if step == "fit weights and biases"][1:]
    products = counted(model, 40, 20).products
    seconds = seconds_by_layer(products, 30, 8, 288)
    assert told_of_fit == pytest.approx([*shares_before([p.name for p in products], seconds), 1.0])
    assert not {step for step in seen if step not in known}


def test_a_trained_network_is_written_and_judged() -> None:
    def names(runtime: str, format: str) -> list[str]:
        trained = CandidatePlan(f"{runtime}-trained_static", runtime, "trained_static", format, "")
        return [step.name for step in planned_steps((trained,), WORK, Options())]

    written = ["write the file", "compare with float", "read the runtime's graph"]
    assert names("onnxruntime", "onnx") == written
    assert names("litert", "tflite") == ["prepare the graph", *written]


def test_a_training_begins_with_all_passes_and_judges_nothing() -> None:
    begins = [step.name for step in steps_to_train("training", WORK, Options())]
    static = [step.name for step in planned_steps((STATIC,), WORK, Options()) if step.forks == 0]
    assert [name for name in begins if name in static] == static[: static.index("write the file")]
    assert "compare with float" not in begins
