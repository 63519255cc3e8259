"""The steps that are planned are those that a candidate reports, in that order."""

import pytest

from edgeq.graphs.products import Product
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.counted import Counted, counted
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.timetable import CHECK_FIT, planned_seconds
from tests.quantize.networks import STATIC, Rows, images, residual, saved

FLOAT = CandidatePlan("onnxruntime-float", "onnxruntime", "float", "onnx", "")
WORK = Counted(10**9, (Product("conv", 1, 64, 576, 784),) * 20, calibrate=48, judged=100)


def test_what_is_counted_of_a_model(tmp_path) -> None:
    found = counted(saved(residual(channels=32), tmp_path), calibrate=40, judged=20)
    assert (found.calibrate, found.judged, len(found.products)) == (40, 20, 6)
    assert found.macs == sum(p.groups * p.rows * p.length * p.columns for p in found.products)


def test_every_step_of_a_plan_in_its_order() -> None:
    planned = planned_seconds((STATIC, FLOAT), WORK, Options())
    ours = STATIC.id
    assert [*planned] == [
        (ours, "calibrate"),
        (ours, "choose ranges"),
        (ours, "fit weights and biases"),
        (ours, "check the fit"),
        (ours, "head"),
        (ours, "compare with float"),
        (FLOAT.id, "compare with float"),
    ]
    assert planned[FLOAT.id, "compare with float"] == pytest.approx(3.0)  # 100 runs of 10^9 at 3e-11 s


def test_what_is_not_asked_for_is_not_planned() -> None:
    planned = planned_seconds((STATIC,), WORK, Options(calibrator="minmax", passes=()))
    assert [step for id, step in planned if id] == ["calibrate", "compare with float"]


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
        step
        for _, step in planned_seconds((STATIC,), counted(model, 40, 20), Options())
        if step != CHECK_FIT  # which reports no share
    ]
    assert [step for step in seen if step in planned] == planned
    assert all((step, 0.0) in told for step in planned)
