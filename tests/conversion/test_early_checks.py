"""Samples that do not fit end a conversion before anything is exported, and what is likely is said first and kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import edgeq.demo
from edgeq.cli.main import cli
from edgeq.errors import DataRefused
from edgeq.nouns.data import DataUse
from edgeq.nouns.data_check import DataFinding
from edgeq.nouns.progress import Progress
from edgeq.workflow.convert import convert
from edgeq.workflow.data import data as look_at

DEMO = Path(edgeq.demo.__file__).parent
MODEL = str(DEMO / "digits_cnn.onnx")


def stored(folder: Path, **changed: np.ndarray) -> str:
    with np.load(DEMO / "digits.npz") as digits:
        arrays = {"image": digits["image"].astype(np.float32), "labels": digits["labels"].astype(np.int64)}
    np.savez(folder / "d.npz", **{k: v for k, v in (arrays | changed).items() if v is not None})
    return str(folder / "d.npz")


def digits() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DEMO / "digits.npz") as found:
        return found["image"].astype(np.float32), found["labels"].astype(np.int64)


def test_a_torch_model_is_not_exported_for_samples_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds instead of the minute that an export to TFLite takes."""
    torch = pytest.importorskip("torch")

    def exported(*_: object, **__: object) -> None:
        raise AssertionError("it was exported")

    monkeypatch.setattr(torch.export, "export", exported)
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 10))\n"
    )
    image = digits()[0]
    image[5] = np.nan
    with pytest.raises(DataRefused, match="sample 5: .* holds NaN"):
        convert(f"{tmp_path}/net.py:build", data=stored(tmp_path, image=image), target="android-arm64")
    nhwc = image[:, 0, :, :, None]
    with pytest.raises(DataRefused, match="the samples are NHWC and the model takes NCHW"):
        convert(f"{tmp_path}/net.py:build", data=stored(tmp_path, image=nhwc), target="android-arm64")


def test_what_is_likely_is_told_first_and_stands_in_the_bundle(tmp_path: Path) -> None:
    image, labels = digits()
    told: list[object] = []
    done = convert(
        MODEL,
        data=stored(tmp_path, image=image[labels == 3], labels=None),
        target="x86-64-vnni",
        runtime="onnxruntime",
        output=tmp_path / "net.edgeq",
        tell=told.append,
    )
    kinds = [type(noun) for noun in told]
    (finding,) = (noun for noun in told if isinstance(noun, DataFinding))
    assert finding.kind == "one_answer"
    assert kinds.index(DataFinding) < kinds.index(DataUse)
    (use,) = (noun for noun in told if isinstance(noun, DataUse))
    assert str(finding) not in use.warnings
    assert done.data is not None
    assert str(finding) in done.data.warnings


def test_labels_that_are_ignored_are_not_looked_at(tmp_path: Path) -> None:
    data = stored(tmp_path, labels=digits()[1] + 1)
    assert look_at(MODEL, data=data).refused
    assert look_at(MODEL, data=data, ignore_labels=True).findings == ()


def test_the_command_shows_what_the_model_sees(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    done = CliRunner().invoke(cli, ["data", MODEL, "--data", stored(tmp_path), "-o", str(sheet)])
    assert done.exit_code == 0
    assert "image 1x1x8x8 float32   NCHW" in done.stdout
    assert "right on 64 (100.0 %)" in done.stdout
    assert "nothing found against these samples" in done.stdout
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_the_command_s_document_has_the_findings_and_its_exit_code_says_refused(tmp_path: Path) -> None:
    data = stored(tmp_path, labels=(digits()[1] + 1) % 10)
    done = CliRunner().invoke(cli, ["data", MODEL, "--data", data, "--json"], standalone_mode=False)
    assert done.return_value == 11
    document = json.loads(done.stdout)
    assert [f["kind"] for f in document["findings"]] == ["labels_shifted"]
    assert document["answers"]["right"] == 0


def test_a_missing_metric_and_no_sample_to_judge_come_before_anything_is_made(tmp_path: Path) -> None:
    said: list[object] = []
    with pytest.raises(DataRefused, match=r"there is no file gone\.py"):
        convert(MODEL, data=stored(tmp_path), metric="gone.py:score", tell=said.append)
    with pytest.raises(
        DataRefused, match=r"calibrating with [\d,]+ of [\d,]+ samples leaves nothing to judge"
    ):
        convert(MODEL, data=stored(tmp_path), calibrate=100_000, tell=said.append)
    assert {noun.step for noun in said if isinstance(noun, Progress)} <= {
        "open the model",
        "check the samples",
    }
