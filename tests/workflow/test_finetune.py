"""`edgeq finetune` and what deploy and convert make of its weights, as a user types them."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch")

import edgeq  # noqa: E402
from edgeq.cli.main import run  # noqa: E402
from edgeq.errors import DataRefused, EdgeqError, ModelRefused, TargetRefused  # noqa: E402
from edgeq.nouns.progress import Note  # noqa: E402
from edgeq.nouns.training import Trained  # noqa: E402
from edgeq.train.sites import sites_of  # noqa: E402
from edgeq.train.tuned_file import read_tuned  # noqa: E402
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: E402, F401
from tests.train.residual_network import images, network  # noqa: E402

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.dense = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        return self.dense(torch.relu(self.inner(x)).mean((2, 3)))

def build():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its torch source, and samples to train and to judge by."""
    monkeypatch.chdir(tmp_path)
    onnx.save(network(), tmp_path / "net.onnx")
    (tmp_path / "net.py").write_text(NET)
    found = images(320)
    np.savez(tmp_path / "train.npz", x=found.images[:256], labels=found.labels[:256])
    np.savez(tmp_path / "test.npz", x=found.images[256:], labels=found.labels[256:])
    return tmp_path


def finetuned(model: str = "net.onnx", **others: object) -> object:
    given = {"data": "train.npz", "target": "rpi4", "batch": 32, "epochs": 2, "output": "tuned.pt"}
    return edgeq.finetune(model, **given | others)  # type: ignore[arg-type]


def test_a_mean_of_bits_begins_with_what_a_conversion_makes_of_it(here: Path) -> None:
    """Its weights have few levels, and keep them while they are trained."""
    before = finetuned(weight_bits=2.5, epochs=0, output="before.pt").training
    after = finetuned(weight_bits=2.5).training
    assert (before.weight_bits, before.low_bit_layers) == (2.5, ("first", "second"))
    assert after.before == before.best and after.best.loss <= before.best.loss
    finetuned(epochs=0, output="eight.pt")
    eight = weight_levels("eight.pt")
    for path in ("before.pt", "tuned.pt"):
        few = weight_levels(path)
        assert all(few[name] < 20 < eight[name] for name in ("first", "second")), few


def weight_levels(path: str) -> dict[str, int]:
    """The most of a row, by layer."""
    tuned = read_tuned(Path(path))
    stored = onnx.load_from_string(tuned.model)
    arrays = {t.name: numpy_helper.to_array(t) for t in stored.graph.initializer}
    return {
        site.layer: max(len(np.unique(row)) for row in arrays[site.integers])
        for site in sites_of(stored).weights
    }


def test_ranges_that_follow_the_samples_are_another_training_from_the_same_start(here: Path) -> None:
    learned, observed = (
        finetuned(activation_bits=4, weight_bits=4, activation_ranges=ranges) for ranges in ("learned", "ema")
    )
    assert learned.training.before == observed.training.before
    assert learned.training.best != observed.training.best
    assert observed.training.best.loss < observed.training.before.loss


def test_the_weights_make_a_candidate_with_the_integers_of_the_target(here: Path) -> None:
    found = finetuned(weight_bits=4, activation_bits=4)
    assert found.training.best.loss < found.training.before.loss
    assert found.training.low_bit_layers == ("first", "second")
    assert not list(here.glob("*.checkpoint")) and not list(here.glob(".*.tmp"))
    gates = {"ignore_labels": True, "min_sqnr": -10, "min_agreement": 0}
    for target, scheme in (("rpi4", "S8S8"), ("x86-64-vnni", "U8S8")):
        made = edgeq.convert(
            "net.onnx", data="test.npz", weights="tuned.pt", target=target, output=f"{target}.edgeq", **gates
        )
        (plan,) = [c for c in made.plan.candidates if c.recipe == "trained_static"]
        assert str(plan.scheme).startswith(scheme)
        (fidelity,) = [f for f in made.fidelity if f.candidate == plan.id]
        assert fidelity.passed and fidelity.fusion


def test_a_torch_source_is_built_from_the_same_file(here: Path) -> None:
    np.savez(here / "bare.npz", x=images(128).images)
    found = finetuned("net.py:build", data="bare.npz", epochs=1)
    state = torch.load("tuned.pt", weights_only=True)
    assert torch.equal(state["dense.weight"], edgeq_weights(here)["dense.weight"])
    made = edgeq.convert(
        "net.py:build", data="test.npz", weights="tuned.pt", target="rpi4", ignore_labels=True
    )
    assert "onnxruntime-trained_static" in [c.id for c in made.plan.candidates]
    assert found.command == "edgeq deploy net.py:build --weights tuned.pt --target rpi4"


def edgeq_weights(here: Path) -> dict[str, torch.Tensor]:
    scope: dict[str, object] = {}
    exec((here / "net.py").read_text(), scope)  # noqa: S102
    return scope["build"]().state_dict()  # type: ignore[operator]


def test_other_weights_give_another_bundle_and_the_same_ones_the_same(here: Path) -> None:
    few = {"weight_bits": 2, "activation_bits": 2}
    first = finetuned(epochs=0, **few)
    given = {
        "data": "test.npz",
        "weights": "tuned.pt",
        "target": "rpi4",
        "ignore_labels": True,
        "min_sqnr": -10,
        "min_agreement": 0,
    }
    one, again = edgeq.convert("net.onnx", **given), edgeq.convert("net.onnx", **given)
    assert again.reused and one.bundle.digest == again.bundle.digest
    second = finetuned(epochs=3, learning_rate=0.02, **few)
    assert second.training.best.loss < first.training.best.loss
    assert edgeq.convert("net.onnx", **given).bundle.digest != one.bundle.digest


def test_without_labels_it_learns_from_float_alone(here: Path) -> None:
    np.savez(here / "bare.npz", x=images(128).images)
    found = finetuned(data="bare.npz", weight_bits=2, activation_bits=2, learning_rate=0.02)
    assert found.training.scored_by in ("agreement", "")
    assert found.training.best.loss < found.training.before.loss


def test_an_interrupted_training_writes_its_best_and_goes_on(here: Path) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Trained) and event.epoch >= 1:
            raise KeyboardInterrupt

    given = {"weight_bits": 2, "activation_bits": 2, "learning_rate": 0.02, "epochs": 3}
    first = finetuned(tell=interrupt, **given)
    assert first.training.interrupted and first.exit_code == 130
    assert Path("tuned.pt").is_file() and Path("tuned.pt.checkpoint").is_file()
    steps: list[float] = []
    second = finetuned(tell=lambda e: steps.append(e.epoch) if isinstance(e, Trained) else None, **given)
    assert min(steps) > 1.0, "it went on"
    whole = finetuned(output="whole.pt", **given)
    assert second.training.best == whole.training.best
    assert not Path("tuned.pt.checkpoint").exists()


def test_an_interrupted_training_does_not_replace_a_finished_one(here: Path) -> None:
    given = {"weight_bits": 2, "activation_bits": 2}
    finetuned(**given)
    before = Path("tuned.pt").read_bytes()
    other = finetuned(tell=_interrupt, seed=1, **given)
    assert Path("tuned.pt").read_bytes() == before
    assert other.path == Path("tuned.pt.interrupted.pt") and other.path.is_file()


def test_that_it_begins_anew_is_said(here: Path) -> None:
    given = {"weight_bits": 2, "activation_bits": 2}
    finetuned(tell=_interrupt, **given)
    notes: list[str] = []

    def noted(event: object) -> None:
        notes.extend([event.text] if isinstance(event, Note) else [])

    finetuned(tell=noted, learning_rate=0.001, **given)
    assert any("with other options or samples: it begins anew" in note for note in notes)


def _interrupt(event: object) -> None:
    if isinstance(event, Trained):
        raise KeyboardInterrupt


def test_a_live_module_is_converted_with_its_own_weights(here: Path) -> None:
    scope: dict[str, object] = {}
    exec((here / "net.py").read_text(), scope)  # noqa: S102
    module = scope["build"]()  # type: ignore[operator]
    samples = images(128).images
    found = edgeq.finetune(module, data=samples, target="rpi4", batch=32, epochs=1, output="tuned.pt")
    assert found.command == "edgeq.deploy(module, weights='tuned.pt', target='rpi4')"
    made = edgeq.convert(module, weights="tuned.pt", data=samples, target="rpi4", recipe="trained_static")
    assert "onnxruntime-trained_static" in [c.id for c in made.plan.candidates]


def test_a_damaged_file_is_refused_and_never_ignored(here: Path) -> None:
    finetuned(epochs=0)
    content = Path("tuned.pt").read_bytes()
    for cut in (len(content) // 2, len(content) - 40):
        Path("cut.pt").write_bytes(content[:cut])
        with pytest.raises(ModelRefused) as refused:
            edgeq.convert("net.onnx", data="test.npz", weights="cut.pt", target="rpi4")
        assert "damaged" in f"{refused.value.what} {refused.value.remedy}"


def test_the_screen_and_the_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "finetune",
        "net.onnx",
        "--data",
        "train.npz",
        "--target",
        "rpi4",
        "--batch",
        "32",
        "--epochs",
        "1",
    ]
    assert run(words) == 0
    shown = capsys.readouterr().out
    assert "post-training quantization" in shown and "net-tuned.pt" in shown
    assert "edgeq deploy net.onnx --weights net-tuned.pt --target rpi4" in shown
    assert run([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["training"]["samples"] + document["training"]["validated"] == 256
    assert document["exit_code"] == 0


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"model": "net.edgeq"}, ModelRefused, "cannot be trained"),
        ({"data": None}, DataRefused, "needs samples"),
        ({"output": "tuned.onnx"}, EdgeqError, "not named as weights"),
        ({"output": "nowhere/tuned.pt"}, EdgeqError, "there is no folder"),
        ({"device": "warp"}, TargetRefused, "cannot train on 'warp'"),
        ({"features": "br,nothing"}, ModelRefused, "no tensor nothing"),
        ({"activation_bits": 1}, TargetRefused, "activation"),
        ({"activation_bits": 4, "target": "android-arm64"}, TargetRefused, "have no TFLite form"),
        ({"seed": -3}, TargetRefused, "seed"),
    ],
)
def test_what_cannot_be_done_is_refused(
    here: Path, given: dict[str, object], error: type[EdgeqError], says: str
) -> None:
    with pytest.raises(error, match=says):
        finetuned(**given)
    assert not Path("tuned.pt").exists()


def test_weights_of_another_model_are_refused(here: Path) -> None:
    finetuned(epochs=0)
    other = network()
    other.graph.initializer[0].CopyFrom(other.graph.initializer[0])
    weight = onnx.numpy_helper.to_array(other.graph.initializer[0])
    other.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(weight * 2, other.graph.initializer[0].name)
    )
    onnx.save(other, "other.onnx")
    with pytest.raises(ModelRefused, match="was trained from another model"):
        edgeq.convert("other.onnx", data="test.npz", weights="tuned.pt", target="rpi4")


def test_event_files_are_written(here: Path) -> None:
    pytest.importorskip("tensorboard")
    finetuned(epochs=1, tensorboard="runs")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("runs")
    events.Reload()
    assert {"loss/train", "loss/validation", "learning rate"} <= set(events.Tags()["scalars"])


def test_a_target_that_has_litert_alone_runs_the_trained_network(
    here: Path,
    own_home: Path,
    onnx2tf_cache: Path,  # noqa: F811
) -> None:
    (own_home / "cache/edgeq").mkdir(parents=True, exist_ok=True)
    (own_home / "cache/edgeq/converters").symlink_to(onnx2tf_cache / "converters")
    finetuned(epochs=1, target="android-arm64", weight_bits=4)
    made = edgeq.convert(
        "net.onnx",
        data="test.npz",
        weights="tuned.pt",
        target="android-arm64",
        min_sqnr=-10,
        ignore_labels=True,
        min_agreement=0,
    )
    assert [c.id for c in made.plan.candidates] == [
        "litert-trained_static",
        "litert-int8_static",
        "litert-float",
    ]
    (fidelity,) = [f for f in made.fidelity if f.candidate == "litert-trained_static"]
    assert fidelity.passed and fidelity.remedies == ()
    (convolutions,) = [audit for audit in fidelity.fusion if audit.operator == "CONV_2D"]
    assert convolutions.integer == convolutions.total == 3
