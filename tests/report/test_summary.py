"""The default screen of deploy and convert: one line per candidate, within 80 columns; reasons are left to -v."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from edgeq.nouns.bundle import Artifact, Candidate, Manifest
from edgeq.nouns.data import DataUse
from edgeq.nouns.data_check import DataFinding
from edgeq.nouns.delivery import Destination
from edgeq.nouns.fidelity import Accuracy, Agreement, Fidelity, FusionAudit, OutputError
from edgeq.nouns.measurement import Run
from edgeq.nouns.plan import CandidatePlan, Plan, Skipped
from edgeq.nouns.progress import Note
from edgeq.nouns.release import App
from edgeq.nouns.report import DeviceCheck
from edgeq.nouns.results import Benched, Conversion, Deployment
from edgeq.nouns.tensor import TensorSpec
from edgeq.report.choose import choose
from edgeq.report.formats.summary import show_candidates
from edgeq.report.formats.text import show, show_result
from edgeq.report.race import compare_runs

from .conftest import FACTS, MakeRace

ORT, ORT8, LITE8 = "onnxruntime-float", "onnxruntime-int8_static", "litert-int8_static"
X = (TensorSpec("x", "float32", (1, 4)),)
EXACT, OFF = OutputError("y", None, 0.0), OutputError("y", 31.04, 0.1)


def printed(tell: Callable[[Console], Any], width: int | None = None, encoding: str = "utf-8") -> str:
    """`width` None is a pipe."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    terminal: dict[str, Any] = {"force_terminal": True, "width": width, "color_system": None} if width else {}
    tell(Console(file=out, highlight=False, soft_wrap=True, **terminal))
    out.flush()
    return raw.getvalue().decode(encoding)


def scored(id: str, score: float, low: float, high: float, *outputs: OutputError, **more: Any) -> Fidelity:
    return Fidelity(
        id,
        800,
        outputs,
        Agreement(800, 99.5, None),
        Accuracy("top-1", 800, 92.0, score, score - 92.0, low, high, lost=9, won=1),
        **more,
    )


JUDGED = (
    scored(ORT, 92.0, 0.0, 0.0, EXACT),
    scored(ORT8, 91.75, -0.61, 0.12, OFF),
    scored(
        LITE8,
        88.0,
        -5.0,
        -3.0,
        OFF,
        passed=False,
        why_failed="top-1 fell by 4.0 points (limit 1): 92.0 -> 88.0",
    ),
)


def conversion(*judged: Fidelity) -> Conversion:
    parts = [(f.candidate, *f.candidate.split("-")) for f in judged]
    candidates = tuple(
        Candidate(id, runtime, recipe, f"candidates/{id}/model.onnx", ("x",), ("y",))
        for id, runtime, recipe in parts
    )
    artifacts = tuple(Artifact(c.model, 3_400_000, "0" * 64) for c in candidates)
    manifest = Manifest(1, "net", "rpi4", "0" * 64, None, X, X, None, candidates, artifacts)
    bundle: Any = SimpleNamespace(manifest=manifest, digest="d" * 64)
    return Conversion(Path("net.edgeq"), bundle, None, None, judged, 1.0, reused=False)


def deployment(make_race: MakeRace, *judged: Fidelity, **facts: Any) -> Deployment:
    raced: dict[str, Any] = {ORT: 10.0, ORT8: 5.0}
    race = compare_runs(make_race(raced, **facts))
    choice = choose(race, (ORT8, ORT), {}, {ORT}, race.emulated is not None, race.quiet)
    app = App(
        "net",
        "/r/apps/net/current",
        live="d" * 64,
        candidate=choice.candidate,
        since_utc=None,
        previous="e" * 64,
        releases=(),
    )
    made = conversion(*judged)
    return Deployment(made, FACTS, app, changed=True, previous="e" * 64, race=race, choice=choice)


@pytest.mark.parametrize(("integer", "noted"), [(1, True), (4, True), (5, False), (9, False)])
def test_an_int8_candidate_that_is_mostly_float_is_noted(integer: int, noted: bool) -> None:
    fusion = (FusionAudit("Conv", integer, 9, 0, "optimized graph"),)
    judged = (JUDGED[0], scored(ORT8, 91.75, -0.61, 0.12, OFF, fusion=fusion))
    said = printed(lambda c: show_candidates(conversion(*judged), c))
    note = f"onnxruntime int8_static: only {integer} of 9 Conv run as integers; -v says why"
    assert (note in said) == noted


def test_a_deployment_is_a_line_per_candidate_and_what_is_live(make_race: MakeRace) -> None:
    lines = printed(lambda c: show_result(deployment(make_race, *JUDGED), c)).splitlines()
    assert lines[0].split() == ["candidate", "top-1", "vs", "float,", "pt", "p50", "speed", "memory"]
    assert lines[1].split()[:4] == ["onnxruntime", "float", "92.0", "%"]
    assert "1.00x" in lines[1]
    assert lines[2].startswith("          > onnxruntime int8_static  91.8 %     -0.2 ±0.4    5.0")
    assert lines[3].split()[-3:] == ["raced", "-", "-"] and lines[3].split()[:2] == ["litert", "int8_static"]
    assert lines[4] == "refused   litert-int8_static: top-1 fell by 4.0 points (limit 1): 92.0 -> 88.0"
    assert (
        lines[5]
        == "live      net = ddddddd (was eeeeeee)   undo: edgeq rollback net   why: edgeq explain net.edgeq"
    )
    assert lines[6] == "          path: /r/apps/net/current"
    assert len(lines) == 7


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_width_and_encoding_holds_every_figure(make_race: MakeRace, width: int, encoding: str) -> None:
    deployed = deployment(make_race, *JUDGED)
    piped = printed(lambda c: show_result(deployed, c), None, encoding).split()
    said = printed(lambda c: show_result(deployed, c), width, encoding)
    assert max(len(line) for line in said.splitlines()) <= width
    assert {word for word in piped if word not in said.split()} == set()
    if width >= 80:  # one table, each candidate once
        assert said.count("onnxruntime int8_static") == 1
    if encoding == "ascii":
        assert "+-0.4" in said


def test_a_bundle_below_the_home_folder_is_named_from_there(
    make_race: MakeRace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    deployed = deployment(make_race, *JUDGED)
    cached = replace(deployed, conversion=replace(deployed.conversion, path=tmp_path / "my cache/net.edgeq"))
    assert "why: edgeq explain ~/'my cache/net.edgeq'" in printed(lambda c: show_result(cached, c))


def test_without_labels_agreement_is_shown_and_without_classes_the_sqnr(make_race: MakeRace) -> None:
    agreeing = [replace(f, accuracy=None) for f in JUDGED[:2]]
    said = printed(lambda c: show_candidates(conversion(*agreeing), c))
    assert "top-1 agreement with float" in said and "99.5 %" in said and "3.4 MB" in said
    plain = [replace(f, agreement=None) for f in agreeing]
    said = printed(lambda c: show_candidates(conversion(*plain), c))
    assert "SQNR" in said and "31.0 dB" in said and "equal" in said


def test_times_of_an_emulated_device_carry_their_stamp(make_race: MakeRace) -> None:
    deployed = deployment(make_race, *JUDGED[:2], facts=replace(FACTS, emulated="marker file"))
    said = printed(lambda c: show_result(deployed, c))
    assert said.count("(emulated)") == 2 and "not compared" in said
    assert "speed not compared: the device is emulated (marker file)" in said


def test_what_a_user_must_act_on_is_a_line(make_race: MakeRace) -> None:
    crashed = Run(LITE8, "crashed", "SIGILL: illegal instruction")
    race = compare_runs(make_race({ORT: 10.0, ORT8: 12.0, LITE8: crashed}))
    choice = choose(race, (LITE8, ORT8, ORT), {}, {ORT}, False, True)
    checks = (DeviceCheck(8, False, "output 0 differs", candidate=ORT8),)
    deployed = replace(deployment(make_race, *JUDGED[:2]), race=race, choice=choice, checks=checks)
    notes = [line for line in printed(lambda c: show_result(deployed, c)).splitlines() if "note" in line[:4]]
    assert notes == ["note      litert int8_static: crashed: SIGILL: illegal instruction"]
    said = printed(lambda c: show_result(deployed, c))
    assert "onnxruntime-int8_static: outputs differ from this machine's: output 0 differs" in said
    assert "onnxruntime int8_static is slower than float" in said and said.count("float is kept") == 1


def test_reasons_are_left_to_v() -> None:
    use = DataUse("calib.npz", 200, 800, "top-1 may fall by at most 1 point", notes=("a note",))
    plan = Plan(
        "rpi4", (CandidatePlan(ORT8, "onnxruntime", "int8_static", "onnx", "why"),), (Skipped("x", "y"),)
    )
    nouns = (Destination("rpi4", "pi@10.0.0.5", FACTS), plan, use, *JUDGED, Note("a detail", detail=True))
    said = printed(lambda c: [show(noun, c) for noun in nouns])
    assert said.splitlines() == [
        "target    rpi4 at pi@10.0.0.5: Raspberry Pi 4 Model B Rev 1.4, Debian GNU/Linux 12 (bookworm), 3.3 GB free",
        "data      calib.npz: 200 calibration samples, 800 evaluation samples",
        "gate      top-1 may fall by at most 1 point",
    ]
    in_full = printed(lambda c: [show(noun, c, in_full=True) for noun in nouns])
    for reason in ("why", "x: y", "a note", "a detail", "top-1 agreement with float 99.5 %"):
        assert reason in in_full


def test_why_nothing_was_quantized_is_no_detail() -> None:
    plan = Plan(
        "rpi4",
        (CandidatePlan(ORT, "onnxruntime", "float", "onnx", "baseline"),),
        (Skipped("int8", "no data"),),
    )
    assert "int8: no data" in printed(lambda c: show(plan, c))


def test_outputs_that_are_fed_back_are_named() -> None:
    use = DataUse("noise.npz", 20, 80, "the gate", states=("hn=h0", "cn=c0"))
    assert "20 calibration samples, 80 evaluation samples   fed back: hn=h0, cn=c0\n" in printed(
        lambda c: show(use, c)
    )


def test_a_warning_about_the_data_is_shown() -> None:
    finding = DataFinding("scale", "values reach 255", "--preprocess scale=1/255")
    assert "WARNING   values reach 255" in printed(lambda c: show(finding, c))
    use = DataUse(
        "d.npz", 2, 2, "the gate", warnings=("the float model is right on 0 of 2 labelled samples",)
    )
    said = printed(lambda c: show(use, c))
    assert "WARNING   the float model is right on 0 of 2 labelled samples" in said


def test_a_bench_prints_one_table_and_all_of_them_with_v(make_race: MakeRace) -> None:
    race = make_race({ORT: 10.0, ORT8: 5.0})
    benched = Benched((race,), (compare_runs(race),))
    brief = printed(lambda c: show_result(benched, c))
    full = printed(lambda c: show_result(benched, c, in_full=True))
    assert ("p50" in brief, "p99" in brief, "p99" in full) == (True, False, True)
    assert brief.splitlines()[0] == full.splitlines()[0]
