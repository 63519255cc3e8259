"""`--confidence` and `--search-tries`: the same on the command line, in edgeq.toml and in Python, and part of the order."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.errors import GateFailed, TargetRefused
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.nouns.results import Conversion
from edgeq.request.project import read_project
from edgeq.workflow.convert import convert
from tests.conversion.test_data_use import LABELS, classifier
from tests.end_to_end.command_line import edgeq


def samples(folder: Path, count: int) -> str:
    """Classes far apart: int8 answers every one of them as float does."""
    rng = np.random.default_rng(0)
    x = 100 * np.eye(4, dtype=np.float32)[np.arange(count) % 4] + rng.normal(size=(count, 4)).astype("f4")
    np.savez(folder / "d.npz", x=x, labels=np.resize(LABELS, count))
    return str(folder / "d.npz")


def converted(folder: Path, count: int, **gates: Any) -> Conversion:
    return convert(
        classifier(folder / "net.onnx"),
        data=samples(folder, count),
        target="x86-64-vnni",
        runtime="onnxruntime",
        recipe="int8_static",
        output=folder / "net.edgeq",
        calibrate=20,
        gates=Gates(**gates),
    )


def test_too_few_samples_refuse_what_more_of_them_let_pass(tmp_path: Path) -> None:
    assert converted(tmp_path, 100).fidelity[0].bound is None
    with pytest.raises(GateFailed, match="that takes 194 held-out samples") as refused:
        converted(tmp_path, 100, confidence=95)
    assert "may have fallen by" in refused.value.what
    passed = converted(tmp_path, 300, confidence=95)
    assert not passed.reused
    bound = passed.fidelity[0].bound
    assert bound is not None
    assert (bound.confidence, bound.samples, bound.samples_needed) == (95, 280, 194)
    assert bound.low > -1
    assert all(f.passed for f in passed.fidelity)  # float, too


def test_another_confidence_is_another_order(tmp_path: Path) -> None:
    first = converted(tmp_path, 300, confidence=90)
    assert converted(tmp_path, 300, confidence=90).reused
    other = converted(tmp_path, 300, confidence=80)
    assert not other.reused
    accuracy = [c.fidelity[0].accuracy for c in (first, other)]
    assert [a.confidence for a in accuracy if a] == [90, 80]


@pytest.mark.parametrize("level", [0, 49.9, 100, math.nan, math.inf])
def test_a_level_out_of_range_is_refused_everywhere(tmp_path: Path, level: float) -> None:
    with pytest.raises(TargetRefused, match="confidence: .* is not between 50 and 99.9"):
        convert("net.onnx", target="x86-64-vnni", gates=Gates(confidence=level))
    project = tmp_path / "edgeq.toml"
    project.write_text(f"[gates]\nconfidence = {level}\n")
    with pytest.raises(TargetRefused) as refused:
        read_project(project)
    assert "gates.confidence" in refused.value.details[0]
    done = edgeq(tmp_path, "convert", "net.onnx", "--confidence", str(level))
    assert done.returncode == 2
    assert "--confidence" in done.stderr


@pytest.mark.parametrize(("tries", "error"), [(-1, TargetRefused), (2.5, TypeError)])
def test_a_search_takes_a_number_of_tries(tries: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="search_tries"):
        convert("net.onnx", target="x86-64-vnni", search_tries=tries)  # type: ignore[arg-type]


def test_seconds_for_a_search_change_nothing_and_say_so(tmp_path: Path) -> None:
    told: list[Any] = []
    made = [
        convert(
            classifier(tmp_path / "net.onnx"),
            data=samples(tmp_path, 100),
            target="x86-64-vnni",
            runtime="onnxruntime",
            tell=told.append,
            **given,
        )
        for given in ({}, {"search_seconds": 5.0})
    ]
    assert made[1].reused
    assert made[1].bundle.digest == made[0].bundle.digest
    assert [n.text for n in told if isinstance(n, Note) and "--search-tries" in n.text]


def test_on_the_command_line_and_from_the_project_file(tmp_path: Path) -> None:
    words = [
        "convert",
        classifier(tmp_path / "net.onnx"),
        "--data",
        samples(tmp_path, 300),
        "--calibrate",
        "20",
    ]
    words += ["--target", "x86-64-vnni", "--runtime", "onnxruntime", "--recipe", "int8_static"]
    words += ["--search-tries", "5"]
    done = edgeq(tmp_path, *words, "--confidence", "95", "-v")
    assert "the gate holds at 95 % confidence; that needs 194 held-out samples" in " ".join(
        done.stdout.split()
    )
    (tmp_path / "edgeq.toml").write_text("[gates]\nconfidence = 99.5\n")
    document = json.loads(edgeq(tmp_path, *words, "--json").stdout)
    assert document["fidelity"][0]["bound"]["confidence"] == 99.5
    assert document["fidelity"][0]["accuracy"]["confidence"] == 99.5
