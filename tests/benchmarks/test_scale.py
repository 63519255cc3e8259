"""`python -m benchmarks.scale` runs to its end with its smallest settings; what follows from its figures is computed right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scale import show
from benchmarks.scale.rows import Contestant, Row, Took, gains, ratio, slopes

ROOT = Path(__file__).parent.parent.parent
QUICK, DEFAULT = Contestant("edgeq", "quick"), Contestant("edgeq", "default")
PEER = Contestant("onnxruntime", "min-max")


def row(by: Contestant, weights: int, cpu_s: float, db: float = 30.0, opening: float | None = None) -> Row:
    return Row(f"resnet-{weights}", weights, by, Took(cpu_s, cpu_s, 1_500_000_000, opening), db)


def small_run(folder: Path, *words: str) -> str:
    small = ("--only", "resnet-0.1M", "--efforts", "quick", "--samples", "2", "--judged", "2")
    command = [
        sys.executable,
        "-m",
        "benchmarks.scale",
        *small,
        "--no-install",
        "--cache",
        str(folder),
        *words,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_it_runs_and_a_quantizer_that_is_not_installed_is_a_row_that_says_so(tmp_path: Path) -> None:
    found = json.loads(small_run(tmp_path, "--json"))
    own, *others = found["rows"]
    assert own["who"] == "edgeq" and own["setting"] == "quick" and own["why"] == ""
    assert own["cpu_seconds"] > 0 and own["peak_bytes"] > 0 and own["sqnr_db"] > 0
    assert own["weights"] == pytest.approx(100_000, rel=0.1)
    assert [other["why"] for other in others] == [
        f"{peer} is not installed (--no-install)" for peer in ("onnxruntime", "nncf")
    ]
    assert "| edgeq quick |" in (tmp_path / "results/scale.md").read_text()


def test_who_takes_too_long_is_a_row_that_says_so(tmp_path: Path) -> None:
    shown = small_run(tmp_path, "--peers", "nncf", "--limit-s", "0.1")
    assert "failed: did not end within 0.1 s" in shown


def test_the_slope_is_one_where_time_is_proportional_to_weights() -> None:
    rows = [row(QUICK, 10**k, 2.0 * 10**k) for k in (5, 6, 7)]
    rows += [row(PEER, 10**k, 5.0 * 10 ** (k / 2)) for k in (5, 7)]
    found = slopes([*rows, row(DEFAULT, 10**5, 3.0)])
    assert found == {(QUICK, "resnet"): pytest.approx(1.0), (PEER, "resnet"): pytest.approx(0.5)}


def test_ratios_are_to_onnxruntime_on_the_same_network() -> None:
    own = row(QUICK, 100, 6.0, opening=1.0)
    assert ratio(own, [own, row(PEER, 100, 2.0), row(PEER, 1000, 9.0)]) == (3.0, 3.5)
    assert ratio(own, [own, Row("resnet-100", 100, PEER, why="not installed")]) is None
    assert show.cells(own, [own, row(PEER, 100, 2.0)])[1:5] == ("6.0 (7.0)", "3.00 (3.50)", "6.0", "1,500")


def test_what_an_effort_gains_is_the_median_over_networks() -> None:
    rows = [row(QUICK, size, 1.0, db) for size, db in ((1, 30.0), (2, 31.0), (3, 32.0))]
    rows += [row(DEFAULT, size, 1.0, db) for size, db in ((1, 31.0), (2, 33.0), (3, 37.0))]
    assert gains(rows, ("quick", "default", "best")) == {"default": (2.0, 3)}


def test_a_search_that_the_gate_asked_for_is_told() -> None:
    took = Took(1.0, 1.0, None)
    searched = "in float: gemm_1: in combination with the other int8 layers the gate fails"
    thin = "in float: conv_0: reduction length 27"
    shown = show.markdown(
        [Row("resnet-1", 1, QUICK, took, 30.0, notes=(searched, thin), not_quiet=("busy",))]
    )
    assert f"- resnet-1, edgeq quick: {searched}" in shown and thin not in shown
    assert "NOT QUIET during 1 of 1 rows, the first: busy" in shown
