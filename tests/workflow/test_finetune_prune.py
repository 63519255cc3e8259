"""`edgeq finetune --prune`: channels and branches go, the smaller network learns in float and in integers, and is judged against the whole."""

import signal
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

import edgeq  # noqa: E402
from edgeq.conversion import cache  # noqa: E402
from edgeq.errors import ModelRefused  # noqa: E402
from edgeq.graphs.macs import onnx_macs  # noqa: E402
from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.ingest.onnx_to_tflite.find_python import VARIABLE  # noqa: E402
from edgeq.nouns.explanation import Explanation  # noqa: E402
from edgeq.nouns.progress import Note, Progress  # noqa: E402
from edgeq.nouns.results import Finetuned  # noqa: E402
from edgeq.train.tuned_file import read_tuned  # noqa: E402
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: E402, F401
from tests.train.residual_network import images, network  # noqa: E402


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    onnx.save(network(), tmp_path / "net.onnx")
    known = images(512)
    np.savez(tmp_path / "train.npz", x=known.images[:384], labels=known.labels[:384])
    np.savez(tmp_path / "test.npz", x=known.images[384:], labels=known.labels[384:])
    return tmp_path


def finetuned(**others: object) -> Finetuned:
    given = {"data": "train.npz", "target": "x86-64-vnni", "batch": 32, "output": "tuned.pt", "prune": 0.4}
    return edgeq.finetune("net.onnx", **given | others)  # type: ignore[arg-type]


def test_the_smaller_network_learns_what_the_whole_one_gives(here: Path) -> None:
    said: list[object] = []
    start = finetuned(epochs=0).training
    found = finetuned(epochs=2, tell=said.append).training
    assert start.macs_share is not None and 0.4 < start.macs_share <= 0.6
    assert found.macs_share == start.macs_share
    assert found.best.loss < start.best.loss
    assert any("multiply-accumulates" in note.text for note in said if isinstance(note, Note))
    stages = [each.step for each in said if isinstance(each, Progress)]
    assert stages.index("train in float") < stages.index("train")
    assert sorted(path.name for path in here.iterdir()) == ["net.onnx", "test.npz", "train.npz", "tuned.pt"]


def test_what_is_deployed_is_smaller_and_compared_with_the_whole(here: Path) -> None:
    finetuned(epochs=3)
    made = edgeq.convert(
        "net.onnx", data="test.npz", weights="tuned.pt", target="x86-64-vnni", max_drop=30.0, min_agreement=0.5
    )  # fmt: skip
    (trained,) = [f for f in made.fidelity if f.candidate == "onnxruntime-trained_static"]
    assert trained.passed
    tuned = read_tuned(here / "tuned.pt")
    weights = [t for t in onnx.load_from_string(tuned.model).graph.initializer if t.data_type == t.INT8]
    whole = [t for t in network().graph.initializer if len(t.dims) > 1]
    assert sum(np.prod(t.dims) for t in weights) < 0.8 * sum(np.prod(t.dims) for t in whole)
    x = np.load(here / "test.npz")
    answers = [
        ort_session(onnx.load_from_string(tuned.model), threads=1).run(None, {"x": one[None]})[0].argmax()
        for one in x["x"]
    ]
    assert np.mean(answers == x["labels"]) > 0.6


@pytest.mark.slow
def test_litert_runs_the_smaller_network_too(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    python312: Path,  # noqa: F811
    onnx2tf_cache: Path,  # noqa: F811
) -> None:
    monkeypatch.setenv(VARIABLE, str(python312))
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    cache.folder().mkdir(parents=True, exist_ok=True)
    (cache.folder() / "converters").symlink_to(onnx2tf_cache / "converters")
    finetuned(epochs=3)
    made = edgeq.convert(
        "net.onnx", data="test.npz", weights="tuned.pt", target="x86-64-vnni", runtime="litert", max_drop=30.0, min_agreement=0.5
    )  # fmt: skip
    (trained,) = [f for f in made.fidelity if f.candidate == "litert-trained_static"]
    assert trained.passed
    found = explained_twice("litert")
    assert found.candidate == "litert-trained_static"
    assert_of_the_smaller_network(found)


def test_its_layers_are_explained_against_its_own_float_graph(here: Path) -> None:
    finetuned(epochs=1)
    found = explained_twice("onnxruntime")
    assert [layer.layer for layer in found.layers] == [
        n.name for n in smaller_graph(here).node if n.op_type in ("Conv", "Gemm")
    ]
    assert_of_the_smaller_network(found)


def explained_twice(runtime: str) -> Explanation:
    """From the model and from the bundle that convert writes, which say the same."""
    given = {
        "data": "test.npz", "weights": "tuned.pt", "target": "x86-64-vnni", "runtime": runtime, "recipe": "trained_static",
        "max_drop": 50.0, "min_agreement": 0.5,
    }  # fmt: skip
    (found,) = edgeq.explain("net.onnx", **given).explanations  # type: ignore[arg-type]
    edgeq.convert("net.onnx", output="net.edgeq", **given)  # type: ignore[arg-type]
    assert edgeq.explain("net.edgeq").explanations == (found,)
    return found


def assert_of_the_smaller_network(found: Explanation) -> None:
    """Its weights are the integers, so only activations lose something."""
    assert "of the float model's 4 layers" in found.own_float
    assert sum(layer.work for layer in found.layers) == pytest.approx(1)
    quantized = [layer for layer in found.layers if layer.scheme != "float"]
    assert quantized
    for layer in quantized:
        assert layer.error is not None and 0 < layer.error < 0.05
        assert layer.weights is not None and layer.weights < 1e-6
    for layer in found.layers:
        assert (layer.scheme == "float") == bool(layer.why_float)


def smaller_graph(folder: Path) -> onnx.GraphProto:
    tuned = read_tuned(folder / "tuned.pt")
    assert tuned is not None
    return onnx.load_from_string(tuned.model).graph


def test_an_interrupted_float_training_goes_on(here: Path) -> None:
    """The second Ctrl-C is the test's own: of the first the best so far is written."""

    def interrupt(event: object) -> None:
        if isinstance(event, Progress) and event.step == "train in float" and event.done == 8:
            signal.raise_signal(signal.SIGINT)

    first = finetuned(epochs=2, tell=interrupt)
    assert first.training.interrupted and first.training.step == 0
    assert {"tuned.pt.smaller.onnx", "tuned.pt.float.checkpoint"} <= {path.name for path in here.iterdir()}
    said: list[object] = []
    second = finetuned(epochs=2, tell=said.append)
    assert not second.training.interrupted
    notes = [note.text for note in said if isinstance(note, Note)]
    assert "goes on from step 8, where it was interrupted" in notes
    assert not any("pruned" in text for text in notes)  # nothing is measured again
    whole = finetuned(epochs=2, output="whole.pt")
    assert second.training.best == whole.training.best


def test_so_much_cannot_go(here: Path) -> None:
    with pytest.raises(ModelRefused, match="of the multiply-accumulates can be removed"):
        finetuned(prune=0.99)


def test_a_network_that_is_pruned_computes_less(here: Path) -> None:
    from edgeq.train.smaller.distilled import pruned

    assert onnx_macs(pruned(network(), images(128), 0.5, call=0)) <= 0.5 * onnx_macs(network())
