"""`--finetune EPOCHS`: a conversion that trains the quantized network before its candidates are made."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

import edgeq  # noqa: E402
from edgeq.cli.main import run  # noqa: E402
from edgeq.errors import DataRefused, EdgeqError, ExtraMissing, ModelRefused, TargetRefused  # noqa: E402
from edgeq.graphs.macs import onnx_macs  # noqa: E402
from edgeq.nouns.plan import Plan  # noqa: E402
from edgeq.nouns.progress import Note, Progress  # noqa: E402
from edgeq.nouns.results import Conversion, Deployment  # noqa: E402
from edgeq.nouns.training import Trained, Training  # noqa: E402
from tests.conversion.test_state_feedback import frames, smoother  # noqa: E402
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: E402, F401
from tests.quantize.networks import inside_if  # noqa: E402
from tests.train.residual_network import images, network  # noqa: E402
from tests.workflow.test_finetune import NET  # noqa: E402

NO_GATE = {"min_agreement": 0, "min_sqnr": -20, "max_drop": 100}


@pytest.fixture
def here(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its torch source, and 320 labelled samples."""
    monkeypatch.chdir(tmp_path)
    onnx.save(network(), tmp_path / "net.onnx")
    (tmp_path / "net.py").write_text(NET)
    found = images(320)
    np.savez(tmp_path / "d.npz", x=found.images, labels=found.labels)
    return tmp_path


def converted(model: object = "net.onnx", **others: object) -> Conversion:
    given = {"data": "d.npz", "target": "rpi4", "runtime": "onnxruntime", "finetune": 1} | NO_GATE
    return edgeq.convert(model, **given | others)  # type: ignore[arg-type]


def deployed(**others: object) -> Deployment:
    given = {"data": "d.npz", "target": "local", "runtime": "onnxruntime", "finetune": 1, "seconds": 0.5}
    return edgeq.deploy("net.onnx", root="root", store="s.db", **given | NO_GATE | others)  # type: ignore[arg-type]


def notes(told: list[object]) -> str:
    return "\n".join(event.text for event in told if isinstance(event, Note))


def test_the_trained_network_is_raced_in_place_of_static_int8(here: Path) -> None:
    told: list[object] = []
    locks: list[object] = []

    def tell(event: object) -> None:
        told.append(event)
        if isinstance(event, Trained):
            locks.append(edgeq.status(root="root").status)

    found = deployed(weight_bits=2, finetune=2, tell=tell)
    plan = next(event for event in told if isinstance(event, Plan))
    reasons = {c.id: c.reason for c in plan.candidates}
    assert reasons["onnxruntime-trained_static"].startswith("2 epochs of training follow; trained in the")
    assert [c.id for c in found.conversion.plan.candidates] == list(reasons)
    assert {row.id for row in found.race.rows} == {"onnxruntime-trained_static", "onnxruntime-float"}
    [network] = found.conversion.model.networks
    training = network.training
    assert training.best.loss < training.before.loss and training.low_bit_layers == ("first", "second")
    assert [event for event in told if isinstance(event, Training)] == [training]
    assert locks and not any(locks), "nothing is on the device, and no lock, while it is trained"
    again = deployed(weight_bits=2, finetune=2)
    assert again.conversion.reused and again.conversion.bundle.digest == found.conversion.bundle.digest


def test_what_judges_is_not_trained_on_and_the_counts_are_told(here: Path) -> None:
    found = converted()
    use = found.data
    assert (use.train, use.validate, use.judge) == (224, 32, 64)
    assert {f.samples for f in found.fidelity} == {64}
    training = found.model.networks[0].training
    assert (training.samples, training.validated) == (224, 32)


def test_a_training_is_not_repeated_for_another_gate_or_name(here: Path) -> None:
    converted()
    told: list[object] = []
    again = converted(name="other", min_sqnr=-30, tell=told.append)
    assert not again.reused and again.model.networks
    assert "trained before" in notes(told) and not any(isinstance(e, Trained) for e in told)


class _Killed(BaseException):
    """The process ends here: nothing of edgeq's catches it."""


@pytest.mark.parametrize("end", [KeyboardInterrupt(), _Killed()])
def test_an_interrupted_training_ends_the_deploy_and_goes_on_the_next_time(
    here: Path, end: BaseException
) -> None:
    few = {"weight_bits": 2, "finetune": 2}
    before: list[object] = []

    def ended(event: object) -> None:
        before.append(event)
        if isinstance(event, Trained):
            raise end

    with pytest.raises(type(end)):
        deployed(**few, tell=ended)
    if isinstance(end, KeyboardInterrupt):
        assert "nothing else was done: the same command goes on from step" in notes(before)
    assert not (here / "root" / "apps").exists(), "nothing was changed on the device"
    told: list[object] = []
    found = deployed(**few, tell=told.append)
    assert "goes on from step" in notes(told)
    first = next(event for event in told if isinstance(event, Trained))
    assert first.epoch > 0.5, "the first half epoch is not trained again"
    assert found.is_live


def test_what_has_no_torch_counterpart_is_not_trained_and_the_rest_is_made(here: Path) -> None:
    onnx.save(inside_if(), "if.onnx")
    shape = [d.dim_value for d in inside_if().graph.input[0].type.tensor_type.shape.dim]
    np.savez("if.npz", np.random.default_rng(0).normal(size=(120, *shape[1:])).astype(np.float32))
    told: list[object] = []
    given = {"data": "if.npz", "max_drop": None, "min_agreement": None}
    found = converted("if.onnx", **given, tell=told.append)
    assert "nothing is trained: an operator of the model has no torch counterpart: If" in notes(told)
    (skipped,) = [s for s in found.plan.skipped if s.what == "onnxruntime trained_static"]
    assert "If" in skipped.reason
    assert (found.data.train, found.data.calibrate + found.data.judge) == (0, 120), "as without --finetune"
    assert "onnxruntime-int8_static" in [c.id for c in found.plan.candidates]
    with pytest.raises(TargetRefused, match="trained_static cannot be built"):
        converted("if.onnx", **given, recipe="trained_static")


def test_what_turns_out_not_to_be_trainable_is_left_out_and_said(here: Path) -> None:
    model = str(smoother(here / "state.onnx"))
    frames(here / "state.onnx", here / "state.npz", record=False)
    given = {"data": "state.npz", "max_drop": None, "min_agreement": None, "states": "output_1=h"}
    told: list[object] = []
    found = converted(model, **given, tell=told.append)
    assert "nothing is trained: the samples do not store the states" in notes(told)
    assert "onnxruntime-int8_static" in [c.id for c in found.plan.candidates]
    (skipped,) = [s for s in found.plan.skipped if s.what == "onnxruntime trained_static"]
    assert "do not store the states" in skipped.reason and found.data.train == 0
    with pytest.raises(ModelRefused, match="do not store the states"):
        converted(model, **given, recipe="trained_static")


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"data": None}, DataRefused, "needs samples to train on"),
        ({"recipe": "int8_static"}, TargetRefused, "leaves out the network that --finetune trains"),
        (
            {"finetune": None, "flip": True, "crop": 2},
            TargetRefused,
            "--flip and --crop say how a network is trained",
        ),
        (
            {"finetune": None, "low_rank": 0.5},
            TargetRefused,
            "--low-rank says how a network is trained, and none is",
        ),
        ({"runtime": "litert", "activation_bits": 4}, TargetRefused, "4 bits run on onnxruntime alone"),
        ({"calibrate": 250}, DataRefused, "--calibrate 250 is more than --finetune trains on"),
        ({"model": "net.tflite"}, ModelRefused, "net.tflite cannot be trained"),
        ({"finetune": -1}, TargetRefused, "finetune"),
    ],
)
def test_what_cannot_be_done_is_refused(
    here: Path, given: dict[str, object], error: type[EdgeqError], says: str
) -> None:
    with pytest.raises(error, match=says):
        converted(**{"model": "net.onnx"} | given)


def test_too_few_samples_are_refused_before_anything_is_made(here: Path) -> None:
    np.savez("few.npz", x=images(79).images)
    told: list[object] = []
    with pytest.raises(DataRefused, match="80 different samples at least.* there are 79"):
        converted(data="few.npz", tell=told.append)
    assert not any("calibrate" in event.step for event in told if isinstance(event, Progress))


def test_a_smaller_network_is_trained_and_judged_against_the_whole_one(here: Path) -> None:
    told: list[object] = []
    found = converted(prune=0.5, weight_bits=3.5, sparsity=0.3, tell=told.append)
    training = found.model.networks[0].training
    assert training.macs_share < 0.6 and training.weight_bits == 3.5 and training.sparsity == 0.3
    in_float = [e.in_float for e in told if isinstance(e, Trained)]
    assert in_float[0] and not in_float[-1] and in_float == sorted(in_float, reverse=True)
    macs = {c.recipe: bundle_macs(found, c.model) for c in found.bundle.manifest.candidates}
    assert macs["trained_static"] < 0.6 * macs["float"]
    again: list[object] = []
    converted(prune=0.5, weight_bits=3.5, sparsity=0.3, name="other", tell=again.append)
    assert "trained before" in notes(again)
    assert list((here / "home/cache/edgeq/trainings").glob("*.smaller.onnx")) == [], "nothing is left behind"


def test_few_samples_that_judge_a_trained_network_are_told(here: Path) -> None:
    told: list[object] = []
    converted(prune=0.5, tell=told.append)
    assert "64 samples tell its top-1 to ±" in notes(told) and "--confidence 95" in notes(told)


def bundle_macs(found: Conversion, path: str) -> int:
    return onnx_macs(onnx.load_from_string(found.bundle.artifact(path)))


@pytest.mark.parametrize("end_in_float", [True, False])
def test_an_interrupted_training_of_a_smaller_network_goes_on(here: Path, end_in_float: bool) -> None:
    def ended(event: object) -> None:
        if isinstance(event, Trained) and event.in_float is end_in_float:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converted(prune=0.5, tell=ended)
    told: list[object] = []
    converted(prune=0.5, tell=told.append)
    trained = [e for e in told if isinstance(e, Trained)]
    assert "goes on from step" in notes(told)
    first = next(e for e in trained if e.in_float is end_in_float)
    assert first.epoch > 0.5, "the first half epoch is not trained again"
    assert not any("prune" in e.step for e in told if isinstance(e, Progress)), "nor pruned"


def test_auto_trains_several_networks_and_each_is_a_candidate(here: Path) -> None:
    told: list[object] = []
    found = converted(recipe="auto", tell=told.append)
    variants = ["", "2.5bit", "pruned-30", "pruned-50"]
    assert [n.variant for n in found.model.networks] == variants
    plan = next(event for event in told if isinstance(event, Plan))
    ids = [f"onnxruntime-trained_static-{v}".rstrip("-") for v in variants]
    assert [c.id for c in plan.candidates if c.recipe == "trained_static"] == ids
    rows = {row.candidate: row for row in found.tradeoff.rows}
    assert set(ids) <= set(rows)
    assert rows[ids[0]].kernels != rows[ids[3]].kernels
    assert [n.training.weight_bits for n in found.model.networks] == [8, 2.5, 8, 8]
    shares = [n.training.macs_share or 1.0 for n in found.model.networks]
    assert shares[:2] == [1.0, 1.0] and shares[3] < shares[2] < 0.75


def test_the_time_budget_leaves_trainings_out_and_says_which(here: Path) -> None:
    told: list[object] = []
    found = converted(recipe="auto", time_budget="1s", tell=told.append)
    assert [n.variant for n in found.model.networks] == [""]
    assert "pruned-50 is not trained: --time-budget 1 s" in notes(told)
    reasons = {s.what: s.reason for s in found.plan.skipped}
    assert "--time-budget" in reasons["onnxruntime trained_static 2.5bit"]


def test_trained_weights_are_not_trained_again(here: Path) -> None:
    edgeq.finetune("net.onnx", data="d.npz", target="rpi4", epochs=0, output="tuned.pt")
    with pytest.raises(ModelRefused, match="holds a trained network"):
        converted(weights="tuned.pt")


def test_without_torch_the_command_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ExtraMissing) as missing:
        converted()
    assert 'pip install "edgeq[train]"' in (missing.value.remedy or "")


def test_every_step_tells_what_is_left_in_all(here: Path) -> None:
    told: list[object] = []
    converted(tell=told.append)
    steps = [event for event in told if isinstance(event, Progress)]
    assert [e.step for e in steps if e.all_left_s is None] == []
    before = next(e.all_left_s for e in steps if e.step == "training: train")
    after = next(e.all_left_s for e in steps if e.step.startswith("onnxruntime-trained_static"))
    assert after < before


def test_a_module_is_trained_and_stays_as_it_is(here: Path) -> None:
    scope: dict[str, object] = {}
    exec(NET, scope)  # noqa: S102
    module = scope["build"]()  # type: ignore[operator]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    data = images(120).images
    q = edgeq.quantize(module, data, target="local", runtime="onnxruntime", finetune=1, min_sqnr=-20)
    assert q.candidate.endswith("trained_static")
    assert q(data[:2]).shape == (2, 4)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_dry_run_in_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["deploy", "net.onnx", "--data", "d.npz", "--runtime", "onnxruntime", "--root", "root"]
    words += ["--finetune", "0.5", "--flip", "--crop", "1", "--min-agreement", "0", "--min-sqnr", "-20"]
    assert run([*words, "--max-drop", "100", "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["conversion"]["data"]["train"] == 224
    [network] = document["conversion"]["model"]["networks"]
    assert network["training"]["epochs"] == 0.5
    assert network["onnx"] == "trained.onnx", "no path of this machine"
    assert document["app"] is None and not document["changed"]


@pytest.mark.slow
def test_litert_gets_the_network_that_was_trained_for_both(
    here: Path,
    own_home: Path,
    onnx2tf_cache: Path,  # noqa: F811
) -> None:
    (own_home / "cache/edgeq").mkdir(parents=True, exist_ok=True)
    (own_home / "cache/edgeq/converters").symlink_to(onnx2tf_cache / "converters")
    both = converted(runtime=None, weight_bits=4)
    trained = [c.id for c in both.plan.candidates if c.recipe == "trained_static"]
    assert trained == ["litert-trained_static", "onnxruntime-trained_static"]
    assert "onnxruntime-int8_static" not in {f.candidate for f in both.fidelity}
    of_x86 = converted(target="x86-64", runtime="litert", weight_bits=4)
    assert str(of_x86.model.networks[0].training.scheme) == "S8S8 per channel", (
        "LiteRT's own, not onnxruntime's U8S8"
    )
    alone = converted(target="android-arm64", runtime=None, weight_bits=4)
    assert "litert-trained_static" in [c.id for c in alone.plan.candidates]
    assert all(c.runtime == "litert" for c in alone.plan.candidates)
