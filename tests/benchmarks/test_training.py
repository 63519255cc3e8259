"""benchmarks/training with its smallest settings, and what it calls a ratio."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from benchmarks.training.accuracy import save_images, scores_of, top1
from benchmarks.training.peer_accuracy import Trained, row, table
from benchmarks.training.quantized_resnet import QuantizedResNet
from benchmarks.training.step_time import ratio
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401
from tests.models.cifar_cnn import classic
from tests.models.resnet_cifar import resnet20

ROOT = Path(__file__).parent.parent.parent


def test_the_time_of_a_step_is_printed() -> None:
    small = ("--steps", "2", "--batch", "2", "--threads", "1", "--json")
    command = [sys.executable, "-m", "benchmarks.training.step_time", *small]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    times = json.loads(ended.stdout)["times"]
    assert [t["network"] for t in times] == ["float", "8 bits", "4 bits", "torch's kernels"]
    assert all(len(t["cpu_s"]) == len(t["wall_s"]) == 2 for t in times)


def test_a_ratio_is_the_median_of_neighbouring_steps() -> None:
    assert ratio((2.0, 9.0, 4.0), (1.0, 3.0, 4.0)) == pytest.approx(2.0)


def test_the_quantized_network_is_the_float_one_but_for_rounding() -> None:
    torch.manual_seed(0)
    net = resnet20().eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected, got = net(images), QuantizedResNet(net, 16, 16)(images)
    assert (got - expected).norm() < 0.05 * expected.norm()  # the first and the last layer have 8 bits


@pytest.mark.slow
def test_equal_integers_are_counted(onnx2tf_cache: Path) -> None:  # noqa: F811
    small = ("--only", "residual", "--cache", str(onnx2tf_cache))
    command = [sys.executable, "-m", "benchmarks.training.same_integers", *small]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "| residual blocks (ResNet) | 100 %" in ended.stdout


@pytest.mark.data
def test_the_classic_network_is_trained_and_written(data_dir: Path, tmp_path: Path) -> None:
    small = ("--epochs", "1", "--batches", "1", "--data", str(data_dir), "-o", str(tmp_path / "w.pt"))
    command = [sys.executable, "-m", "benchmarks.training.train_classic", *small]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "classic: top-1" in ended.stdout and "62,006 parameters" in ended.stdout
    classic().load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))


@pytest.mark.data
@pytest.mark.slow
def test_the_accuracy_after_training_is_printed(data_dir: Path) -> None:
    small = ("--bits", "W1A8:binary", "--epochs", "0.2", "--images", "256", "--threads", "1", "--json")
    command = [sys.executable, "-m", "benchmarks.training.accuracy", *small, "--data", str(data_dir)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(ended.stdout)
    assert [row["bits"] for row in rows] == ["W1A8:binary"]
    assert all(row["float_top1"] == pytest.approx(91.5) for row in rows)


def test_a_peer_is_compared_image_by_image() -> None:
    labels, right, wrong = np.array([0, 0, 1, 1]), [1.0, 0.0], [0.0, 1.0]
    own = Trained("edgeq", "default", None, np.array([right, right, right, wrong]), np.zeros((4, 2)), 1.0, {})
    peer = Trained(
        "brevitas", "Adam 0.001", None, None, np.array([wrong, right, right, right]), 2.0, {}, "no"
    )
    made = row("W4A4", peer, own, floats=np.array([right] * 4), labels=labels)
    assert (made.judged, made.only_here, made.only_edgeq) == (25.0, 0, 2)
    assert made.as_float == 75.0 and made.same is None
    assert "brevitas, W4A4: judged in torch, for its exporter failed: no" in table([made])


@pytest.mark.data
@pytest.mark.slow
def test_a_peer_is_trained_and_exported(data_dir: Path, tmp_path: Path) -> None:
    """In this environment, which has torchao; the others are installed only by who runs the comparison."""
    save_images(tmp_path / "train.npz", data_dir, ["train_batch_0"], 320)
    save_images(tmp_path / "test.npz", data_dir, ["test_0"], 100)
    checkpoint = data_dir / "cifar10" / "resnet_torch" / "resnet20-12fca82f.th"
    job = {
        "peer": "torchao", "bits": "W8A8", "weight_bits": 8, "activation_bits": 8, "checkpoint": str(checkpoint),
        "train": str(tmp_path / "train.npz"), "test": str(tmp_path / "test.npz"), "folder": str(tmp_path), "epochs": 1.0,
        "trial_images": 64, "batch": 64, "crop": 4, "seed": 0, "temperature": 2.0, "label_share": 0.0, "threads": 1,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    words = [str(ROOT / "benchmarks/training/peer_train.py"), str(tmp_path / "job.json")]
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout.splitlines()[-1])
    assert said["errors"] == {} and said["setting"] == min(said["tried"], key=said["tried"].get)
    test, outputs = np.load(tmp_path / "test.npz"), np.load(tmp_path / "outputs.npz")
    file = scores_of(onnx.load(tmp_path / "trained.onnx"), test["x"])
    assert top1(file, outputs["trained"].argmax(1)) > 95.0
    assert top1(file, test["labels"]) > 80.0


@pytest.mark.data
@pytest.mark.slow
def test_what_training_makes_smaller_is_printed(data_dir: Path, tmp_path: Path) -> None:
    small = (
        "--model",
        "resnet20",
        "--epochs",
        "0.5",
        "--images",
        "256",
        "--runtimes",
        "onnxruntime",
        "--json",
    )
    given = ("--settings", "prune=0.3", "weight_bits=3,sparsity=0.5", "--data", str(data_dir))
    command = [sys.executable, "-m", "benchmarks.training.smaller", *small, *given]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert ended.returncode == 0, ended.stderr
    pruned, sparse = json.loads(ended.stdout)
    assert pruned["macs_share"] <= 0.7 and sparse["macs_share"] == 1.0
    assert sparse["packed"] < pruned["packed"] < pruned["size"] < 0.5 * pruned["float_bytes"]


def test_without_a_gpu_the_check_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    command = ["bash", str(ROOT / "benchmarks" / "cuda_check.sh")]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True
    )
    assert ended.returncode == 0 and "no GPU" in ended.stdout, ended.stderr
