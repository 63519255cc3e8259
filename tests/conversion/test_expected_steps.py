"""The time that is left in all is told from the first step of a conversion on, first by what is usual."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.conversion.conversion_job import conversion_job
from edgeq.conversion.expected_steps import TRAINED_TO_TFLITE, steps_after_check, steps_before_opening
from edgeq.demo import demo_files
from edgeq.nouns.effort import EffortSpent
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.progress import Progress
from edgeq.request.requests import ConvertRequest
from edgeq.workflow.convert import convert

MODEL, DATA = map(str, demo_files())


def steps(model: str, data: str | None = None, count: int | None = None) -> dict[tuple[str, str], float]:
    request = ConvertRequest(model=model, data=data, target="rpi4", runtime="onnxruntime")
    job = conversion_job(request, catalog.target("rpi4"), {}, {})
    return {(step.of, step.name): step.seconds for step in steps_before_opening(job, count)}


def test_every_step_of_a_conversion_tells_what_is_left_in_all(tmp_path: Path) -> None:
    told: list[object] = []
    convert(
        MODEL,
        data=DATA,
        target="x86-64-vnni",
        runtime="onnxruntime",
        output=tmp_path / "net.edgeq",
        tell=told.append,
    )
    progress = [event for event in told if isinstance(event, Progress)]
    assert progress[0].step == "open the model" and progress[-1].step == "write the bundle"
    assert all(event.all_left_s is not None and event.all_left_s > 0.0 for event in progress)


def test_before_a_model_is_open_its_size_says_how_long_it_takes(tmp_path: Path) -> None:
    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    small.write_bytes(bytes(10**6))
    large.write_bytes(bytes(10**7))
    of_small, of_large = (sum(steps(str(file), DATA).values()) for file in (small, large))
    assert 2 * of_small < of_large < 10 * of_small
    assert steps(str(tmp_path / "none.onnx"), DATA) == {}


def test_once_they_are_open_the_samples_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(bytes(10**6))
    fewer, more = (steps(str(file), DATA, count)["onnx-float", "compare with float"] for count in (300, 1800))
    assert more == pytest.approx(8 * fewer)  # 200 and 1,600 judge
    job = conversion_job(ConvertRequest(model=str(file), data=DATA), catalog.target("rpi4"), {}, {})
    names = [step.name for step in steps_after_check(job, 300)]
    assert "open the model" not in names and "check the samples" not in names
    assert names[0].startswith(("convert to TFLite", "building the environment"))


def test_a_training_is_a_part_of_what_is_left(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(bytes(10**6))

    def planned(epochs: float) -> dict[tuple[str, str], float]:
        request = ConvertRequest(model=str(file), data=DATA, finetune=epochs)
        job = conversion_job(request, catalog.target("rpi4"), {}, {})
        return {(step.of, step.name): step.seconds for step in steps_before_opening(job, 1000)}

    none, one, two = planned(0), planned(1), planned(2)
    assert two["training", "train"] == pytest.approx(2 * one["training", "train"])
    assert ("training", "train") not in none and ("onnx-int8_static", "write the file") in none
    assert ("onnx-int8_static", "write the file") not in one and (
        "onnx-trained_static",
        "write the file",
    ) in one
    assert {("", TRAINED_TO_TFLITE), ("tflite-trained_static", "write the file")} <= set(one)


def test_of_candidates_that_were_made_before_nothing_is_said_but_that_they_are_judged(
    own_home: Path, tmp_path: Path
) -> None:
    def told(name: str) -> list[object]:
        events: list[object] = []
        place = {"target": "x86-64-vnni", "runtime": "onnxruntime", "output": tmp_path / f"{name}.edgeq"}
        convert(MODEL, data=DATA, name=name, **place, tell=events.append)
        return events

    def planned(events: list[object]) -> float:
        """Seconds in all once the model is open."""
        first = next(e for e in events if isinstance(e, Progress) and e.step.startswith("onnxruntime"))
        return first.all_left_s or 0.0

    once, again = told("one"), told("another")
    (spent,) = (event for event in again if isinstance(event, EffortSpent))
    assert spent.following is None
    assert {f.seconds for f in again if isinstance(f, Fidelity) and "int8" in f.candidate} == {0.0}
    assert planned(again) < planned(once) / 2
