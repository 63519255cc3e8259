"""`edgeq verify` on real emulators: what AVX2 without VNNI gets wrong is seen and refused, what is right passes."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeq import catalog
from edgeq.bundle import read_bundle
from edgeq.emulate.machine import emulated
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.nouns.verification import Verified
from edgeq.workflow.convert import convert
from edgeq.workflow.verify import verify
from tests.conversion.test_state_feedback import frames, smoother
from tests.emulate.conftest import require_emulator
from tests.emulate.networks import CHANNELS, SIDE, images, mixing, smoothing
from tests.end_to_end.command_line import edgeq

pytestmark = pytest.mark.lab

INT8 = "onnxruntime-int8_static"
STRICT = Gates(min_sqnr_db=30.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The filter and its images."""
    folder = tmp_path_factory.mktemp("verify")
    smoothing(folder / "smoothing.onnx")
    images(folder / "images.npz")
    return folder


def made_for(target: str, folder: Path) -> Path:
    """A bundle of float and onnxruntime's int8; made once. No gate: this machine itself may be one that saturates."""
    place = folder / f"{target}.edgeq"
    if not place.exists():
        words = {"recipe": "int8_static", "runtime": "onnxruntime", "gates": Gates(min_sqnr_db=0.0)}
        source = str(folder / "smoothing.onnx")
        convert(source, target=target, data=str(folder / "images.npz"), output=place, **words)
    return place


def sqnr_db(verified: Verified) -> float:
    assert verified.there is not None, verified
    (output,) = verified.there.outputs
    return output.sqnr_db or 999.0


def test_what_saturates_without_vnni_is_refused(folder: Path) -> None:
    require_emulator("qemu-x86_64")
    full = made_for("x86-64-vnni", folder)
    done = verify(full, emulate="x86-64", samples=6, candidate=(INT8,), gates=STRICT)
    (int8,) = done.candidates
    assert sqnr_db(int8) < 20
    assert not done.passed
    assert int8.why_failed is not None
    assert "SQNR" in int8.why_failed
    assert "`edgeq deploy` would refuse it" in int8.why_failed


def test_scales_that_leave_room_do_not_saturate(folder: Path) -> None:
    require_emulator("qemu-x86_64")
    done = verify(made_for("x86-64", folder), emulate="x86-64", samples=6, candidate=(INT8,), gates=STRICT)
    (int8,) = done.candidates
    assert done.passed
    assert int8.same_bits, "sums that do not saturate are the same on every CPU"
    assert sqnr_db(int8) > 35


def test_dynamic_int8_does_not_saturate_either(folder: Path) -> None:
    require_emulator("qemu-x86_64")
    rows = np.random.default_rng(5).uniform(0, 1, (12, SIDE, CHANNELS)).astype(np.float32)
    np.savez(folder / "rows.npz", x=rows)
    dynamic = "onnxruntime-int8_dynamic"
    closeness = {}
    for target in ("x86-64-vnni", "x86-64"):
        words = {"recipe": "int8_dynamic", "runtime": "onnxruntime", "gates": Gates(min_sqnr_db=0.0)}
        place, source = folder / f"mixing-{target}.edgeq", str(mixing(folder / "mixing.onnx"))
        convert(source, target=target, data=str(folder / "rows.npz"), output=place, **words)
        done = verify(place, emulate="x86-64", samples=4, candidate=(dynamic,))
        closeness[target] = sqnr_db(done.candidates[0])
    assert closeness["x86-64-vnni"] < 20
    assert closeness["x86-64"] > 35


@pytest.mark.parametrize("target", ["rpi4", "rpi5"])
def test_a_pi_is_emulated_without_root(
    target: str, folder: Path, arm64_root: Path, shared_wheels: None
) -> None:
    bundle = made_for("rpi4", folder)
    done = verify(bundle, emulate=target, samples=2, rootfs=arm64_root, gates=STRICT)
    assert done.passed, done
    assert [v.samples for v in done.candidates] == [2, 2]
    assert min(map(sqnr_db, done.candidates)) > 35
    assert not list((arm64_root / "proc").iterdir()), "nothing was written into the file system"


def test_the_command_line(folder: Path) -> None:
    """One JSON document, and the gate's word as the exit code."""
    require_emulator("qemu-x86_64")
    bundle = made_for("x86-64-vnni", folder)
    words = ("--emulate", "x86-64", "--samples", "2", "--candidate", INT8, "--min-sqnr", "30")
    done = edgeq(folder, "verify", str(bundle), *words, "--json")
    assert done.returncode == 20, done.stderr
    document = json.loads(done.stdout)
    assert document["digest"] == read_bundle(bundle).digest
    assert document["candidates"][0]["passed"] is False
    said = edgeq(folder, "verify", str(bundle), *words).stdout
    for word in ("emulate", "Haswell", "there", "refused", "verdict"):
        assert word in said


@pytest.mark.data
@pytest.mark.timeout(600)
def test_resnet8_keeps_its_accuracy_without_vnni(data_dir: Path, tmp_path: Path) -> None:
    require_emulator("qemu-x86_64")
    from tests.models import zoo

    source, _, name, _, data = zoo.prepare("resnet8", data_dir, tmp_path).words
    words = {"name": name, "recipe": "int8_static", "runtime": "onnxruntime", "calibrate": 40}
    made = convert(source, target="x86-64", data=data, output=tmp_path / "b.edgeq", **words)
    done = verify(made.path, emulate="x86-64", data=data, calibrate=40, samples=10, candidate=(INT8,))
    (int8,) = done.candidates
    assert done.passed
    assert int8.same_bits
    assert "none of which calibrated the bundle" in done.samples_from
    assert int8.expected is not None
    assert int8.expected.accuracy is not None
    assert int8.expected.accuracy.samples == 960
    assert int8.expected.accuracy.difference >= -1.0


def test_that_states_are_fed_back_is_said_of_figures_of_single_steps(tmp_path: Path) -> None:
    require_emulator("qemu-x86_64")
    model = smoother(tmp_path / "net.onnx")
    place, told = tmp_path / "net.edgeq", []
    data = frames(model, tmp_path / "d.npz", record=True)
    convert(str(model), target="x86-64", data=data, output=place, recipe="int8_static", runtime="onnxruntime")
    done = verify(place, emulate="x86-64", samples=2, candidate=("onnxruntime-float",), tell=told.append)
    assert done.passed
    (said,) = (note.text for note in told if isinstance(note, Note) and "single steps" in note.text)
    assert said.startswith("output_1=h is fed back when the model runs")


def test_numpy_keeps_out_of_the_loops_that_crash_an_emulated_x86(tmp_path: Path) -> None:
    require_emulator("qemu-x86_64")
    there = emulated(catalog.target("x86-64"), rootfs=None, scratch=tmp_path, cache=tmp_path)
    asked = "from numpy._core._multiarray_umath import __cpu_features__ as f; print(f.get('X86_V3', False), f['SSE2'])"
    done = subprocess.run(
        [*there.python, "-c", asked],
        env={**os.environ, **there.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"]
