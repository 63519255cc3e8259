"""What a person reads: the same facts at every width and through a pipe, and no stamp ever lost."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from rich.console import Console

from edgeq.nouns.diagnosis import Diagnosis, Finding
from edgeq.nouns.fidelity import (
    Accuracy,
    Agreement,
    Fidelity,
    FusionAudit,
    LayerError,
    LayerInFloat,
    OutputError,
)
from edgeq.nouns.measurement import Attempt, Run
from edgeq.nouns.model import Model
from edgeq.nouns.passes import AppliedChange
from edgeq.nouns.plan import CandidatePlan, Plan, Scheme, Skipped
from edgeq.nouns.progress import Note
from edgeq.nouns.release import App, DeviceStatus
from edgeq.nouns.report import DeviceCheck, Estimate, LiveFigures, StoredRow
from edgeq.nouns.results import DeviceReport, Reported
from edgeq.nouns.tensor import TensorSpec
from edgeq.report.choose import choose
from edgeq.report.compare import compare_measurements
from edgeq.report.formats.history import show_comparison, show_measurements
from edgeq.report.formats.on_device import show_live, show_status
from edgeq.report.formats.race_table import show_race
from edgeq.report.formats.text import show, show_result
from edgeq.report.formats.units import median, times
from edgeq.report.race import compare_runs

from .conftest import CONDITIONS, FACTS, MakeRace

ORT, LITE, ORT8, LITE8 = "onnxruntime-float", "litert-float", "onnxruntime-int8_static", "litert-int8_static"
DYNAMIC = "onnxruntime-int8_dynamic"
WIDTHS = (30, 40, 50, 80, 100, 140, None)


def printed(tell: Callable[[Console], None], width: int | None = None) -> str:
    """`width` None is a pipe."""
    out = io.StringIO()
    terminal = {"force_terminal": True, "width": width, "color_system": None} if width else {}
    tell(Console(file=out, highlight=False, soft_wrap=True, **terminal))  # type: ignore[arg-type]
    return out.getvalue()


def tell_race(console: Console, race: object, in_full: bool = False) -> None:
    report = compare_runs(race)  # type: ignore[arg-type]
    chosen = choose(report, (LITE8, ORT8, LITE, ORT), {}, {ORT, LITE}, False, True)
    checks = [
        DeviceCheck(200, True, "", accuracy=92.5, host_accuracy=92.5, candidate=id)
        for id in (ORT, LITE, ORT8, LITE8)
    ]
    show_race(report, console, chosen, checks, in_full=in_full)


def five(make_race: MakeRace) -> object:
    crash = Run(DYNAMIC, "crashed", "SIGILL: illegal instruction")
    return make_race({ORT: 10.0, LITE: 9.2, ORT8: 5.9, LITE8: 3.6, DYNAMIC: crash})


def test_a_race_through_a_pipe_is_one_table(make_race: MakeRace) -> None:
    lines = printed(lambda c: tell_race(c, five(make_race))).splitlines()
    assert re.fullmatch(
        r"measure   quiet   noise floor 0\.\d %   20 rounds   1 thread   41 s   stopped by precision"
        r"   95 % interval of the ratios ±0\.\d %",
        lines[0],
    )
    assert re.split(r"  +", lines[1].strip()) == [
        *("candidate", "p50", "vs onnxruntime float", "p90", "peak memory", "energy per inference"),
        "accuracy on the device (200 samples)",
    ]
    assert re.fullmatch(
        r" {10}> litert int8_static +3\.63 ms ±0\.0\d +2\.7\dx ±0\.0\d faster +3\.\d\d ms +61 MB +6\.12 mJ estimated +92\.5 % \(same as on this machine\)",
        lines[5],
    )
    assert "crashed" in lines[6]
    assert lines[7] == "note      onnxruntime int8_dynamic: crashed: SIGILL: illegal instruction"


@pytest.mark.parametrize("in_full", [False, True])
def test_every_width_holds_the_same_figures_and_stays_within_it(make_race: MakeRace, in_full: bool) -> None:
    race = five(make_race)
    said = {w: printed(lambda c: tell_race(c, race, in_full), w) for w in WIDTHS}
    figures = {
        w: set(re.findall(r"\d[\d.,]* (?:ms|MB|mJ|%|/s)", " ".join(text.split()))) for w, text in said.items()
    }
    for width in (30, 40, 50, 80, 100, 140):
        assert figures[width] == figures[None]
        assert max(len(line) for line in said[width].splitlines()) <= width


@pytest.mark.parametrize("width", WIDTHS[3:])
def test_no_stamp_is_lost_at_any_width(make_race: MakeRace, width: int | None) -> None:
    emulated = make_race(
        {ORT: 10.0, ORT8: 5.0}, facts=replace(FACTS, emulated="marker file"), not_quiet=("steal 8 %",)
    )
    said = printed(lambda c: show_race(compare_runs(emulated), c, in_full=True), width)
    for line in said.splitlines():
        if " ms" in line:
            assert "(emulated)" in line
    assert "EMULATED (marker file)" in said and "NOT QUIET: steal 8 %" in said
    assert said.count("mJ estimated") == 2
    assert "faster" not in said


def test_why_energy_was_not_measured_is_said_to_whoever_asks_for_all(make_race: MakeRace) -> None:
    absent = {"rapl": "energy_uj of powercap is readable by root alone", "battery": "no battery"}
    report = compare_runs(replace(five(make_race), energy_absent=absent))  # type: ignore[type-var,arg-type]
    said = " ".join(printed(lambda c: show_race(report, c, in_full=True)).split())
    assert (
        "energy was not measured: rapl: energy_uj of powercap is readable by root alone; battery: no battery"
        in said
    )
    short = printed(lambda c: show_race(report, c))
    assert "rapl" not in short
    assert "energy estimated: CPU time x 1.1 W per core (rpi4); the device has no readable sensor\n" in short


def test_one_measurement_is_shown_with_its_tail_and_its_conditions(make_race: MakeRace) -> None:
    hot = replace(CONDITIONS, temperature_mc={"cpu-thermal": 61_000}, throttled=0x50000)
    measured = replace(make_race({ORT: 10.0, ORT8: 5.0}), after=hot)
    said = printed(
        lambda c: show_result(Reported(races=(compare_runs(measured),), measurements=(measured,)), c)
    )
    for fact in ("p90", "p95", "p99", "2026-01-05 10:00 UTC as user pi", "governor performance"):
        assert fact in said
    assert "cpu-thermal 47.2 -> 61.0 °C   1,800 -> 1,800 MHz" in said
    assert "throttling or under-voltage (bits 0x50000)" in said
    bare = replace(CONDITIONS, governor={}, absent={"governor": "no cpufreq"})
    said = printed(lambda c: show_race(compare_runs(measured), c, measurement=replace(measured, before=bare)))
    assert "governor not available: no cpufreq" in said


def test_what_cannot_be_told_apart_is_said_in_words(make_race: MakeRace) -> None:
    said = printed(lambda c: tell_race(c, make_race({ORT: 0.036, ORT8: 0.0359})))
    assert re.search(r"1\.00x ±0\.01 cannot tell", said)
    assert "cannot be told apart from float" in said and "float is kept" in said


def test_a_race_that_decides_nothing_shows_no_ratio_and_says_what_goes_live_and_why(
    make_race: MakeRace,
) -> None:
    emulated = replace(FACTS, emulated="marker file")
    report = compare_runs(make_race({ORT: 10.0, ORT8: 6.1}, facts=emulated))
    chosen = choose(report, (ORT8, ORT), {}, {ORT}, True, report.quiet)
    said = printed(lambda c: show_race(report, c, chosen))
    assert re.search(r"> onnxruntime int8_static \(emulated\) +6\.\d+ ms ±0\.\d+ +not compared ", said)
    assert "x ±" not in said and "faster " not in said and "the ratios" not in said
    assert "onnxruntime int8_static goes live: the plan expects it to be the fastest\n" in said


def test_a_race_on_a_busy_device_shows_what_cpu_time_says(make_race: MakeRace) -> None:
    measured = make_race({ORT: 10.0, ORT8: 6.1}, not_quiet=("steal 8 %",))
    tries = (Attempt(0, 4, 2_000_000_000, ("steal 8 %",)), Attempt(4, 16, 1_500_000_000, ("steal 8 %",)))
    report = compare_runs(replace(measured, attempts=tries))
    chosen = choose(report, (ORT8, ORT), {}, {ORT}, False, report.quiet)
    said = printed(lambda c: show_race(report, c, chosen))
    assert "NOT QUIET: steal 8 %" in said and "2 attempts, waited 3.5 s for a quiet device" in said
    assert re.search(r"> onnxruntime int8_static +6\.\d+ ms ±0\.\d+ +1\.6\dx ", said)
    assert "vs onnxruntime float (CPU)" in said
    assert "x ±" not in said and "the ratios" not in said
    assert "onnxruntime int8_static is faster than onnxruntime float in CPU time (1.6" in said


def test_one_model_alone_has_no_ratio_but_a_median_that_is_known(make_race: MakeRace) -> None:
    report = compare_runs(make_race({ORT: 10.0}, twin=False, rounds=12))
    (measured,) = re.findall(r"measure .*", printed(lambda c: show_race(report, c)))
    assert re.search(r"stopped by precision   95 % interval of p50 ±\d\.\d %$", measured)
    assert "ratio" not in measured


def test_a_wide_interval_is_shown_by_its_ends() -> None:
    assert median(Estimate(4.26, 4.245, 4.271)) == "4.26 ms ±0.02"
    assert median(Estimate(10.0, 6.11, 26.14)) == "10.0 ms (6.1 to 26.2)"
    assert times(Estimate(1.2, 0.811, 1.668)) == "1.20x (0.81 to 1.67)"


def test_the_making_of_candidates() -> None:
    specs = (TensorSpec("x", "float32", (1, 3, 32, 32)),), (TensorSpec("logits", "float32", (1, 10)),)
    model = Model("resnet56", "resnet56.onnx", "onnx", "0" * 64, *specs, 3_400_000, {"onnx": "m.onnx"})
    scheme = Scheme("int8", "int8", True)
    plan = Plan(
        "rpi4",
        (CandidatePlan(ORT8, "onnxruntime", "int8_static", "onnx", "fuses fully on ARM", scheme),),
        (Skipped(LITE8, "the source is ONNX"),),
    )
    fidelity = Fidelity(
        ORT8, 800, (OutputError("logits", 27.4, 0.4),), Agreement(800, 99.4, 100.0),
        Accuracy("top-1", 800, 92.6, 90.2, -2.4, -3.2, -1.6), (LayerError("conv2", 9.0, "clipping"),),
        tuple(LayerInFloat(f"conv{i}", "first layer") for i in range(9)), (FusionAudit("Conv", 53, 55, 3, "read back"),),
        passed=False, why_failed="top-1 fell by 2.4 points (limit 1.0)", seconds=2.3,
        remedies=(AppliedChange("norm1", "smoothed", 4.2), AppliedChange("norm2", "smoothed", 4.2), AppliedChange("gru", "split")),
    )  # fmt: skip
    said = printed(
        lambda c: (
            [show(noun, c, in_full=True) for noun in (model, plan, fidelity, Note("fp16 was not tried"))]
            and None
        )
    )
    assert said.splitlines() == [
        "model     resnet56.onnx   3.4 MB float32   takes x 1x3x32x32 float32   gives logits 1x10 float32",
        "target    rpi4   1 candidate, in order of expected speed",
        f"            {ORT8} (S8S8 per channel): fuses fully on ARM",
        "            1 other runtime/recipe combination is unavailable:",
        f"              {LITE8}: the source is ONNX",
        f"convert   {ORT8}   53/55 Conv integer   SQNR 27.4 dB   top-1 92.6 -> 90.2 (-2.4, -3.2 to -1.6) on 800 samples on this machine"
        "   top-1 agreement with float 99.4 % on 800 samples   2.3 s",
        "            norm1, norm2: smoothed (+4.2 dB)",
        "            gru: split",
        "            refused: top-1 fell by 2.4 points (limit 1.0)",
        "            worst layer: conv2 (SQNR 9 dB, clipping)",
        "            3 quantize/dequantize pairs remain after runtime optimization",
        "            left in float: conv0, conv1, conv2, conv3, conv4, conv5 and 3 more (first layer)",
        "note      fp16 was not tried",
    ]


def test_a_candidate_that_is_float_is_not_compared_with_itself() -> None:
    fidelity = Fidelity(
        ORT, 640, (OutputError("y", None, 0.0),), Agreement(640, 100.0, None),
        Accuracy("top-1", 640, 97.2, 97.2, 0.0, -0.3, 0.3), seconds=0.3,
    )  # fmt: skip
    said = printed(lambda c: show(fidelity, c, in_full=True))
    assert (
        said
        == "convert   onnxruntime-float   equal to float   top-1 97.2 on 640 samples on this machine   0.3 s\n"
    )


APP = App(
    "resnet56",
    "/r/apps/resnet56/current",
    "3f9c1a2" + "0" * 57,
    LITE8,
    "2026-01-05T10:00:41+00:00",
    "81aa03e0",
    (),
)


def test_what_is_live_and_how_to_undo_it() -> None:
    assert printed(lambda c: show_live(APP, c, "81aa03e0")) == (
        "live      resnet56 = 3f9c1a2 (was 81aa03e)   litert-int8_static   path /r/apps/resnet56/current"
        "   undo: edgeq rollback resnet56\n"
    )


def test_where_the_files_of_others_are_is_said() -> None:
    moved = replace(APP, kept="/r/apps/resnet56/releases/3f9c.kept")
    assert printed(lambda c: show_live(moved, c)).splitlines()[1] == (
        "kept      /r/apps/resnet56/releases/3f9c.kept: files in this release that edgeq did not write"
    )


def test_status_of_a_device() -> None:
    status = DeviceStatus((APP,), "a1b2", "/r", 3_000_000_000, 80_000_000, lock="ann@desk is deploying faces")
    said = printed(lambda c: show_result(DeviceReport(FACTS, status), c))
    for fact in (
        "Cortex-A72, 4 cores",
        "2026-01-05 10:00 UTC",
        "80 MB in /r",
        "3.0 GB free",
        "ann@desk is deploying faces",
    ):
        assert fact in said
    estimate = Estimate(3.63, 3.60, 3.66)
    figures = LiveFigures(
        "resnet56", "job2", "2026-01-06T10:00:00Z", quiet=True, p50_ms=estimate, peak_memory_bytes=61_000_000,
        raced="job1", raced_utc="2026-01-05T10:00:00Z", against="onnxruntime float", verdict="faster",
        speedup=Estimate(2.77, 2.75, 2.79),
    )  # fmt: skip
    status = replace(status, apps=(replace(APP, not_compared="the device was not quiet"),))
    said = printed(lambda c: show_status(FACTS, c, status, (figures,)))
    assert (
        "resnet56  3.63 ms ±0.03        61 MB  2026-01-06 10:00 UTC  2.77x ±0.02 faster than onnxruntime"
        in said
    )
    assert "float, in the race of 2026-01-05 10:00 UTC" in said
    assert (
        "resnet56: speed was not compared when it went live (the device was not quiet); `edgeq deploy" in said
    )
    unknown = LiveFigures("resnet56", absent="no measurement of it is known")
    assert "no measurement of it is known" in printed(lambda c: show_status(FACTS, c, status, (unknown,)))
    assert "not installed on this device" in printed(lambda c: show_status(FACTS, c, None))


def test_measurements_and_their_comparison(make_race: MakeRace) -> None:
    row = StoredRow(
        12,
        "job1",
        "race",
        "faces",
        "3f9c1a2ff",
        "pi@a",
        "Pi 4",
        "m",
        "2026-01-05T10:00:00+00:00",
        "done",
        False,
        "marker",
    )
    assert "12      2026-01-05 10:00 UTC  faces" in printed(lambda c: show_measurements([row], c))
    assert "done, NOT QUIET, EMULATED" in printed(lambda c: show_measurements([row], c))
    assert "no measurements yet" in printed(lambda c: show_measurements([], c))
    first = make_race({ORT: 10.0})
    second = replace(make_race({ORT: 5.0}, id="job2"), facts=replace(FACTS, kernel="6.7"))
    said = printed(lambda c: show_comparison(compare_measurements(first, second, force=True), c))
    assert "DIFFERENT kernel: 6.6.31-v8+ in the first, 6.7 in the second" in said
    assert re.search(r"onnxruntime-float +10\.1 ms ±0\.\d +5\.0\d ms ±0\.\d\d +2\.0\dx ±0\.\d\d faster", said)


def test_findings_have_remedies() -> None:
    found = Diagnosis((Finding("pi@a", "problem", "cannot write /r", "give --root a folder"),))
    assert (
        printed(lambda c: show_result(found, c))
        == "doctor    pi@a: problem: cannot write /r   -> give --root a folder\n"
    )


def test_square_brackets_are_text_not_markup() -> None:
    assert "[bold]x[/]" in printed(lambda c: show(Note("[bold]x[/]"), c), 80)


def test_a_noun_without_words_is_an_error_of_the_program() -> None:
    @dataclass
    class Surprise:
        pass

    with pytest.raises(TypeError, match="no words for Surprise"):
        show(Surprise(), Console())
