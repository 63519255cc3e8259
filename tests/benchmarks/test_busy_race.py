"""benchmarks/busy_race.py, with the smallest settings that it takes, and what it calls slower."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.busy_race import Outcome, Run, slower_than
from edgeq.demo import demo_files
from edgeq.nouns.report import CANNOT_TELL, FASTER, SLOWER, Estimate, Pair, RaceReport
from edgeq.workflow.convert import convert
from tests.end_to_end.command_line import ROOT

FLOAT, FAST, SLOW = "onnxruntime-float", "litert-int8_static", "onnxruntime-int8_static"
TRUTH = RaceReport(
    "job", "net", "board", FLOAT, (), (
        Pair(FAST, FLOAT, Estimate(0.5, 0.49, 0.51), FASTER),
        Pair(SLOW, FLOAT, Estimate(1.1, 1.08, 1.12), SLOWER),
        Pair(FLOAT, FAST, Estimate(2.0, 1.9, 2.1), SLOWER),
        Pair(SLOW, FAST, Estimate(2.2, 2.1, 2.3), SLOWER),
    ), 0.01, 20, 1, 30.0, True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("live", "chosen", "slower"),
    [
        (None, FLOAT, []),
        (None, FAST, []),
        (None, SLOW, [FLOAT]),
        (FAST, FAST, []),
        (FAST, FLOAT, [FAST]),
        (FAST, SLOW, [FLOAT, FAST]),
    ],
)
def test_a_choice_is_held_against_float_and_what_was_live(live, chosen, slower):
    run = Run(live, chosen, decided=True, quiet=False, why="")
    assert slower_than(Outcome("net", FAST, (run,), TRUTH), run) == slower


def test_what_cannot_be_told_apart_is_not_slower():
    close = replace(TRUTH, pairs=(Pair(SLOW, FLOAT, Estimate(1.01, 0.98, 1.05), CANNOT_TELL),))
    run = Run(None, SLOW, decided=True, quiet=False, why="")
    assert slower_than(Outcome("net", FAST, (run,), close), run) == []


def test_it_runs(tmp_path):
    model, data = map(str, demo_files())
    bundle = tmp_path / "digits.edgeq"
    asked = {"recipe": "int8_static", "runtime": "onnxruntime", "passes": "none", "calibrator": "minmax"}
    convert(model, data=data, name="digits", output=bundle, **asked)
    words = [
        "--only",
        str(bundle),
        "--runs",
        "2",
        "--seconds",
        "1",
        "--quiet-seconds",
        "1",
        "--processes",
        "1",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.busy_race", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads(done.stdout)
    first, second = outcome["runs"]
    assert (first["live"], second["live"]) == (None, first["chosen"])
    assert outcome["truth"]["reference"] == "onnxruntime-float"
