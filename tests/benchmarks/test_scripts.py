"""Every script of benchmarks/ runs to its end with the smallest settings that it takes, and prints what it is there for.

None of their figures is looked at: that takes their own settings, and a machine that is left alone.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from benchmarks.quantization.contestants import PEERS, peers, ways_of
from benchmarks.quantization.work import _input_name
from edgeq.graphs.tflite import packed
from tests.conftest import missing
from tests.lab import devices, images, machine, sshd

ROOT = Path(__file__).parent.parent.parent
SHORT_RACE = ("--seconds", "0.5")

# name: what is typed behind it, and words of what it prints
SCRIPTS = {
    "agent_overhead": (
        ("--pairs", "1", "--seconds", "0.2"),
        ("median latency", "1 pairs", "agent over a race"),
    ),
    "calibration_memory": (
        ("--only", "mnist", "--samples", "4"),
        ("| mnist | edgeq |", "| mnist | onnxruntime |"),
    ),
    "calibration_time": (("--only", "mnist", "--samples", "4", "--pairs", "1"), ("| mnist | 4 |",)),
    "data_checks": (("--only", "kws"), ("8 right data sets, 0 warned about", "| one NaN | refused")),
    "few_bit_kernels": (
        ("--rows", "1", "--size", "256", "--seconds", "0.01"),
        (
            "| MatMulNBits | 2 in blocks of 64 | dynamic | 1 | yes |",
            "| FULLY_CONNECTED | 4 | static | 1 | yes |",
        ),
    ),
    "help_time": (("--runs", "1"), ("import click", "edgeq --help")),
    "deploy_time": (("--model", "mnist", "--local", *SHORT_RACE), ("first deploy", "the same again")),
    "memory": (("--only", "mnist", *SHORT_RACE), ("| mnist | onnxruntime-float |",)),
    "time_left": (("--only", "kws", "--targets", "rpi5"), ("kws", "at 25%", "steps right")),
    "runtime_overhead": (
        ("--only", "mnist", "--pairs", "4", "--switches", "10"),
        ("4 pairs", "10 switches under", ": 0 wrong answers"),
    ),
    "wire": (
        ("--only", "kws", "--formats", "onnx", "--bits", "4"),
        ("on the wire", "kws           onnx       4"),
    ),
    "models": (("--only", "mnist", *SHORT_RACE), ("| mnist |", "What went live:")),
}
# The model and the shape of a sample that a peer is given, by format.
SOURCES = {
    "onnx": ("mnist/mnist_burn_opset16.onnx", (1, 28, 28)),
    "tflite": ("mlperf_tiny/ic_pretrainedResnet.tflite", (32, 32, 3)),
}
# Started by others of these scripts, which say so.
CHILDREN = {
    "bursty_load": "busy_race",
    "calibrate_once": "calibration_memory",
    "shaping_proxy": "push",
    "timed_deploy": "deploy_time",
}
# With a test of their own: here, or in tests/benchmarks/test_NAME.py.
OTHERS = (
    "artifact_digests",
    "auto",
    "busy_race",
    "host_independence",
    "low_bit_weights",
    "push",
    "sentences",
    "wire_push",
    "without_vnni",
)


def run(name: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def signed(source: Path, copy: Path) -> Path:
    """The .tflite file with a signature, as those have that torch models become; litert-quantizer asks for one."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source.read_bytes(), 0))
    signature, graph = schema.SignatureDefT(), model.subgraphs[0]
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = (
        [named(name, tensor) for tensor in ends] for name, ends in (("x", graph.inputs), ("y", graph.outputs))
    )
    model.signatureDefs = [signature]
    copy.write_bytes(packed(model))
    return copy


def named(name: str, tensor: int) -> schema.TensorMapT:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, tensor
    return made


def test_there_is_a_test_of_each() -> None:
    scripts = {f.stem for f in (ROOT / "benchmarks").glob("*.py") if "__main__" in f.read_text()}
    assert scripts == {*SCRIPTS, *CHILDREN, *OTHERS}
    for child, parent in CHILDREN.items():
        assert child in (ROOT / f"benchmarks/{parent}.py").read_text()


@pytest.mark.data
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_runs(name: str, data_dir: Path) -> None:
    words, printed = SCRIPTS[name]
    shown = run(name, *words)
    assert all(text in shown for text in printed), shown


@pytest.mark.data
@pytest.mark.lab
@pytest.mark.slow
def test_deploy_time_over_ssh(data_dir: Path) -> None:
    if reason := machine.missing_for(devices.X86.image, systemd=False):
        missing(reason)
    shown = run("deploy_time", "--model", "mnist", *SHORT_RACE)
    assert "first deploy to pi@" in shown and "the same again to pi@" in shown


@pytest.mark.data
@pytest.mark.slow
def test_auto(data_dir: Path) -> None:
    words = ("--only", "mnist", "--runtime", "onnxruntime", "--limits", "none", "--effort", "quick")
    shown = run("auto", *words, *SHORT_RACE)
    assert "| mnist | none | onnxruntime-" in shown and "auto was worse in" in shown


@pytest.mark.data
@pytest.mark.slow
def test_host_independence(data_dir: Path) -> None:
    if shutil.which("qemu-x86_64-static") is None:
        missing("qemu-x86_64-static is not installed: run `make lab`")
    shown = run("host_independence", "--only", "mnist", "--targets", "x86-64", "--samples", "4")
    assert "mnist" in shown


def test_push_takes_both_tools_through_both_links() -> None:
    if reason := sshd.missing():
        missing(reason)
    sizes = ("--mib", "0.1", "--shaped-mib", "0.1", "--rounds", "1", "--mbit", "1000", "--rtt-ms", "1")
    links = json.loads(run("push", *sizes, "--json"))
    assert [link["link"] for link in links] == ["loopback", "1000 Mbit/s, 1 ms"]


def test_wire_push_sends_files_each_way(tmp_path: Path) -> None:
    if reason := sshd.missing():
        missing(reason)
    for name in ("new", "old"):
        (tmp_path / name).write_bytes(name.encode() * 20_000)
    files = (str(tmp_path / "new"), "--old", str(tmp_path / "old"))
    rows = json.loads(run("wire_push", *files, "--mbit", "1000", "--rtt-ms", "1", "--rounds", "1", "--json"))
    assert [row["way"] for row in rows] == ["as it is", "compressed", "packed earlier", "difference"]
    assert {row["bytes_on_disk"] for row in rows} == {60_000}


@pytest.mark.slow
def test_sentences() -> None:
    """The model, 90 MB, is fetched once, to where the lab keeps what it fetches."""
    kept = images.cache_folder() / "sentences"
    kept.mkdir(parents=True, exist_ok=True)
    shown = run("sentences", "--only", "int8_dynamic", "--sentences", "24", "--cache", str(kept))
    assert "| onnxruntime quantize_dynamic |" in shown and "| edgeq int8_dynamic |" in shown


@pytest.mark.data
def test_a_quantizer_that_is_not_installed_is_a_row_that_says_so(data_dir: Path, tmp_path: Path) -> None:
    small = ("--only", "mnist", "--samples", "20", "--formats", "onnx", "--bits", "W8A8", "--seconds", "0.5")
    found = json.loads(run("quantization", *small, "--no-install", "--cache", str(tmp_path), "--json"))
    failures = json.dumps(found)
    for peer in ("aimet", "nncf", "olive", "onnxruntime"):
        assert f"{peer} is not installed" in failures


@pytest.fixture(scope="module")
def compared(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a comparison, in which another quantizer made the file that edgeq made."""
    cache = tmp_path_factory.mktemp("compared")
    small = ("--only", "mnist", "--samples", "20", "--formats", "onnx", "--bits", "W8A8", "--seconds", "0")
    run("quantization", *small, "--no-install", "--cache", str(cache))
    made = cache / "models" / "mnist-20" / "made"
    made.parent.rename(made.parent.with_name("mnist"))
    made = cache / "models" / "mnist" / "made"
    np.save(made / "judged.npy", np.zeros((2, 1, 28, 28), np.float32))
    (own,) = made.glob("edgeq-default-onnx-W8A8-0/*/model.onnx")
    (other := made / "other-best-onnx-W8A8-0").mkdir()
    shutil.copy(own, other)
    return cache


INTERLEAVED = ("--only", "mnist", "--formats", "onnx", "--threads", "1", "--seconds", "1")


@pytest.mark.data
def test_files_in_blocks(compared: Path) -> None:
    shown = run("quantization.interleaved", *INTERLEAVED, "--cache", str(compared))
    row = shown.splitlines()[-1]
    assert row.startswith(
        "| mnist | onnxruntime | 1 | edgeq onnxruntime-int8_static | other-best-onnx-W8A8 | "
    )
    assert row.count(" to ") == 1


@pytest.mark.data
@pytest.mark.slow
def test_without_vnni(compared: Path) -> None:
    """The handler answers: without it the first cpuid would end the process."""
    if not (shutil.which("cc") and shutil.which("objdump")):
        missing("cc and objdump: install gcc and binutils")
    words = ("benchmarks.quantization.interleaved", *INTERLEAVED, "--cache", str(compared))
    assert "| other-best-onnx-W8A8 | " in run("without_vnni", *words)


@pytest.mark.data
@pytest.mark.slow
def test_its_litert_half(data_dir: Path, tmp_path: Path) -> None:
    small = (
        "--only",
        "resnet20",
        "--samples",
        "8",
        "--formats",
        "tflite",
        "--bits",
        "W8A8",
        "--seconds",
        "0",
    )
    shown = run("quantization", *small, "--no-install", "--cache", str(tmp_path))
    assert "litert_quantizer is not installed" in shown
    assert "edgeq default" in shown


@pytest.mark.data
@pytest.mark.parametrize("peer", peers())
def test_a_peer_quantizes_or_says_that_it_is_not_installed(peer: str, data_dir: Path, tmp_path: Path) -> None:
    """In this environment, which has two of them; the others are installed only by who runs the comparison."""
    way = ways_of(peer)[0]
    name, shape = SOURCES[way.format]
    source = data_dir / name if way.format == "onnx" else signed(data_dir / name, tmp_path / "source.tflite")
    rows = np.random.default_rng(0).random((4, *shape), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    job = {
        "way": way.setting, "threads": 1, "source": str(source), "target": str(tmp_path / f"made.{way.format}"),
        "input": _input_name(source, way.format), "calibration": str(tmp_path / "rows.npy"),
        "judged": str(tmp_path / "rows.npy"), "outputs": str(tmp_path / "outputs.npy"),
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    words = [ROOT / "benchmarks/quantization/run_apart.py", PEERS / f"{peer}.py", tmp_path / "job.json"]
    done = subprocess.run([sys.executable, "-I", *map(str, words)], capture_output=True, text=True)
    answer = json.loads(next(line for line in done.stdout.splitlines()[::-1] if line.startswith('{"')))
    if peer in ("onnxruntime", "litert_quantizer"):
        assert answer["cpu_seconds"] > 0, done.stderr
        assert (tmp_path / f"made.{way.format}").is_file()
    else:
        assert answer["error"].startswith("not installed: "), done.stderr
