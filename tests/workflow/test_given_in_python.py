"""Models and data that a Python program has in memory, instead of naming files."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import edgeq
from edgeq.demo import demo_files
from edgeq.errors import DataRefused, ModelRefused
from edgeq.ingest import given_data as given_data_module
from edgeq.ingest import given_model as given_model_module
from edgeq.ingest.given_data import given_data
from edgeq.ingest.given_model import given_model
from edgeq.nouns.results import Conversion

torch = pytest.importorskip("torch")

COUNT, SHAPE = 12, (3, 4, 4)
X = np.random.default_rng(0).random((COUNT, *SHAPE), np.float32)
Y = np.arange(COUNT) % 2
ONE = ("x",)
FIXED = {"x": (1, *SHAPE)}


class Small(torch.nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(48, 2)
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return self.layer(x.flatten(1)) * self.factor


class Pictures(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, i: int) -> Any:
        return torch.from_numpy(X[i]), int(Y[i])


def loader(**options: Any) -> Any:
    return torch.utils.data.DataLoader(Pictures(), batch_size=5, **options)


def batches() -> Iterator[Any]:
    return ((X[i : i + 5], Y[i : i + 5]) for i in range(0, COUNT, 5))


LABELLED = {
    "arrays": lambda: (X, Y),
    "tensors": lambda: (torch.from_numpy(X), torch.from_numpy(Y)),
    "labels in a list": lambda: (X, Y.tolist()),
    "dict": lambda: {"x": X, "labels": Y},
    "dict and labels": lambda: ({"x": X}, Y),
    "list of pairs": lambda: [(x, int(y)) for x, y in zip(X, Y, strict=True)],
    "list of dicts": lambda: [{"x": x, "label": int(y)} for x, y in zip(X, Y, strict=True)],
    "tuple of pairs": lambda: tuple((x, int(y)) for x, y in zip(X, Y, strict=True)),
    "generator of pairs": lambda: ((x, y) for x, y in zip(X, Y, strict=True)),
    "generator of batches": batches,
    "Dataset": Pictures,
    "DataLoader": loader,
    "DataLoader without batches": lambda: torch.utils.data.DataLoader(Pictures(), batch_size=None),
}
UNLABELLED = {
    "array": lambda: X,
    "tensor": lambda: torch.from_numpy(X),
    "with a batch axis": lambda: list(X[:, None]),
    "list": lambda: list(X),
    "batches": lambda: iter([X[:6], X[6:]]),
    "DataLoader": lambda: torch.utils.data.DataLoader(torch.from_numpy(X), batch_size=5),
}


@pytest.mark.parametrize("form", LABELLED)
def test_samples_with_labels(form: str) -> None:
    given = given_data(LABELLED[form]())
    assert next(iter(given.first().values())).shape == SHAPE
    stored = given.open_for(ONE, FIXED)
    read = [next(iter(stored.read(i).values())) for i in range(len(stored.keys))]
    assert np.array_equal(np.stack(read).reshape(X.shape), X)
    assert stored.truth is not None and np.array_equal(stored.truth, Y)


@pytest.mark.parametrize("form", UNLABELLED)
def test_samples_without_labels(form: str) -> None:
    stored = given_data(UNLABELLED[form]()).open_for(ONE, FIXED)
    read = [next(iter(stored.read(i).values())) for i in range(len(stored.keys))]
    assert np.array_equal(np.stack(read).reshape(X.shape), X)
    assert stored.truth is None


def test_a_pair_of_arrays_is_both_inputs_of_a_model_with_two() -> None:
    ids, mask = np.arange(24).reshape(6, 4), np.ones((6, 4), np.int64)
    shapes = {"ids": (1, 4), "mask": (1, 4)}
    both = given_data((ids, mask)).open_for(("ids", "mask"), shapes)
    assert both.truth is None and set(both.read(0)) == {"ids", "mask"}
    labelled = given_data((ids, mask, Y[:6])).open_for(("ids", "mask"), shapes)
    assert labelled.truth is not None
    each = given_data(list(zip(ids, mask, strict=True))).open_for(("ids", "mask"), shapes)
    assert len(each.keys) == 6 and each.truth is None


def test_an_iterator_is_read_once_and_opened_as_often_as_needed() -> None:
    given = given_data(iter(X))
    for _again in range(2):
        given.first()
        assert len(given.open_for(ONE, FIXED).keys) == COUNT


def test_what_identifies_data_is_what_was_given() -> None:
    same = [given_data(value).sha256 for value in (X, X.copy(), torch.from_numpy(X))]
    assert len(set(same)) == 1
    others = [X + 1, X[:-1], X.astype(np.float64), (X, Y), (X, 1 - Y), {"x": X}, list(X)]
    assert len({given_data(value).sha256 for value in others} | {same[0]}) == len(others) + 1
    assert given_data(loader()).sha256 == given_data(Pictures()).sha256
    generator = torch.Generator().manual_seed(1)
    assert given_data(loader(shuffle=True, generator=generator)).sha256 != given_data(loader()).sha256


@pytest.mark.parametrize("value", [5, None, {}, {"x": "y"}, np.float32, 1.5])
def test_what_is_no_data(value: Any) -> None:
    with pytest.raises(
        TypeError, match=r"data takes an array, .* DataLoader .* not (int|NoneType|dict|type|float)"
    ):
        given_data(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "list of 0 samples yields no samples"),
        (["a", "b"], "list of 2 samples yields str, expected arrays of numbers"),
        ([object()], "yields object, expected arrays"),
        (np.array(["a"]), "data holds ndarray, expected arrays of numbers"),
    ],
)
def test_what_holds_no_samples(value: Any, said: str) -> None:
    with pytest.raises(DataRefused, match=said):
        given_data(value).open_for(ONE, FIXED)


def test_labels_of_another_number() -> None:
    with pytest.raises(DataRefused, match="different numbers of samples: x 12, labels 5"):
        given_data((X, Y[:5])).open_for(ONE, FIXED)


def test_a_tuple_that_does_not_fit_the_inputs() -> None:
    with pytest.raises(DataRefused, match="a tuple of 3, and the model has 1 inputs: x"):
        given_data((X, X, Y)).open_for(ONE, FIXED)


def test_an_error_of_the_callers_own_code_says_where() -> None:
    def samples() -> Iterator[Any]:
        yield X[0]
        raise KeyError("of mine")

    with pytest.raises(DataRefused, match="generator failed: KeyError: 'of mine'") as refused:
        given_data(samples())
    assert "in samples: raise KeyError" in refused.value.details[0]


def test_what_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_data_module, "MOST", 20)
    with pytest.raises(DataRefused, match="yields more than 20 samples"):
        given_data(itertools.repeat(X[0]))
    monkeypatch.setattr(given_data_module, "MOST", 5)
    for long, words in ((Pictures(), "Pictures"), (loader(), "DataLoader"), (list(X), "list")):
        with pytest.raises(DataRefused, match=f"{words} of 12 samples holds more than 5"):
            given_data(long)
    few = torch.utils.data.SubsetRandomSampler(range(3))
    monkeypatch.setattr(given_data_module, "MOST", 5)
    assert given_data(loader(sampler=few)).sha256


# Models


def converted(model: Any, folder: Path, **options: Any) -> Conversion:
    made: Conversion = edgeq.convert(
        model, target="x86-64-vnni", runtime="onnxruntime", recipe="float", **options
    )
    return made


def test_a_module_stays_as_it_is(tmp_path: Path) -> None:
    module = Small().train()
    made = converted(module, tmp_path, data=(X, Y), output=tmp_path / "m.edgeq")
    assert made.model is not None and made.data is not None
    assert (made.model.name, made.model.source) == ("Small", "Small (torch.nn.Module)")
    assert (made.data.source, made.data.labels) == (
        "(array 12x3x4x4 float32, array 12 int64)",
        "class numbers 0 to 1",
    )
    assert module.training and all(p.requires_grad for p in module.parameters())


def test_a_module_is_recognised_by_its_weights_and_its_code(tmp_path: Path, own_home: Path) -> None:
    torch.manual_seed(0)
    module = Small()
    first, again = (converted(module, tmp_path, shape=(1, *SHAPE)) for _ in range(2))
    assert (first.reused, again.reused) == (False, True)
    other_code = Small(factor=2.0)
    other_code.load_state_dict(module.state_dict())
    assert not converted(other_code, tmp_path, shape=(1, *SHAPE)).reused
    with torch.no_grad():
        module.layer.bias += 1
    assert not converted(module, tmp_path, shape={"x": (1, *SHAPE)}).reused
    assert converted(module, tmp_path, shape=(1, *SHAPE), name="other").model.name == "other"  # type: ignore[union-attr]


class Sum(torch.nn.Module):
    def forward(self, left: Any, right: Any) -> Any:
        return left + right


@pytest.mark.parametrize("labels", [(), (Y,)])
def test_a_module_of_two_inputs(tmp_path: Path, labels: tuple[Any, ...]) -> None:
    data = (X, 2 * X, *labels)
    made = converted(Sum(), tmp_path, data=data, output=tmp_path / "m.edgeq", ignore_labels=True)
    assert made.model is not None
    assert [(i.name, i.shape[-3:]) for i in made.model.inputs] == [("left", SHAPE), ("right", SHAPE)]


def test_a_module_in_half_precision_is_converted_in_float32(tmp_path: Path) -> None:
    module = Small().half()
    made = converted(module, tmp_path, data=X, output=tmp_path / "m.edgeq")
    assert made.model is not None and made.model.inputs[0].dtype == "float32"
    assert next(module.parameters()).dtype == torch.float16


def test_torchscript_is_refused() -> None:
    traced = torch.jit.trace(Small(), torch.from_numpy(X[:1]))
    with pytest.raises(ModelRefused, match="is TorchScript, which torch.export does not take"):
        given_model(traced)


def test_pictures_need_preprocessing(tmp_path: Path) -> None:
    pictures = [Image.fromarray((x.transpose(1, 2, 0) * 255).astype(np.uint8)) for x in X]
    with pytest.raises(DataRefused, match="list of 12 samples holds images, but no preprocessing"):
        edgeq.convert(Small(), target="rpi4", data=pictures)
    with pytest.raises(DataRefused, match="holds images, but no preprocessing"):
        edgeq.convert(Small(), target="rpi4", data=[{"image": picture, "label": 0} for picture in pictures])
    labelled = [(picture, int(y)) for picture, y in zip(pictures, Y, strict=True)]
    made = converted(
        Small(),
        tmp_path,
        data=labelled,
        preprocess="size=4x4,scale=1/255",
        output=tmp_path / "m.edgeq",
        ignore_labels=True,
    )
    assert made.data is not None and made.data.calibrate + made.data.judge == COUNT


def test_a_module_without_a_shape_or_data() -> None:
    with pytest.raises(ModelRefused, match="does not say the shape of the model's input x"):
        edgeq.convert(Small(), target="rpi4")


def test_data_of_a_module_is_keyed_by_its_values(tmp_path: Path, own_home: Path) -> None:
    module = Small()
    assert not converted(module, tmp_path, data=X).reused
    assert converted(module, tmp_path, data=X.copy()).reused
    changed = X.copy()
    changed[3] += 1
    assert not converted(module, tmp_path, data=changed).reused


def test_a_model_proto(tmp_path: Path, own_home: Path) -> None:
    file, samples = demo_files()
    proto = onnx.load(file)
    data = dict(np.load(samples))
    first, again = (converted(proto, tmp_path, data=data) for _ in range(2))
    assert first.model is not None
    assert (first.model.name, first.model.source) == ("digits_cnn", "digits_cnn (onnx.ModelProto)")
    assert (first.reused, again.reused) == (False, True)
    assert converted(file, tmp_path, data=data).bundle.digest == first.bundle.digest
    stored = proto.graph.initializer[0]
    stored.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(stored) * 1.01, stored.name))
    assert not converted(proto, tmp_path, data=data).reused


def test_a_model_proto_of_more_than_two_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_model_module, "_MOST_BYTES", 100)
    with pytest.raises(ModelRefused, match=r"digits_cnn .* has more than 2 GB") as refused:
        given_model(onnx.load(demo_files()[0]))
    assert "save_as_external_data" in (refused.value.remedy or "")


def test_a_model_proto_whose_weights_lie_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "m.onnx"
    onnx.save(onnx.load(demo_files()[0]), place, save_as_external_data=True, size_threshold=0)
    with pytest.raises(ModelRefused, match="are in another file"):
        given_model(onnx.load(place, load_external_data=False))
    assert given_model(onnx.load(place)).name == "digits_cnn"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "not int"),
        (Small, r"give an instance, Small\(...\)"),
        (Small().state_dict(), "these are weights"),
    ],
)
def test_what_is_no_model(value: Any, said: str) -> None:
    with pytest.raises(
        TypeError, match=f"model takes a path .* torch.nn.Module or an onnx.ModelProto; .*{said}"
    ):
        edgeq.convert(value)


def test_weights_beside_a_module() -> None:
    with pytest.raises(TypeError, match="has its own"):
        edgeq.convert(Small(), weights="w.pt")


def test_a_shape_that_does_not_say_of_which_input() -> None:
    with pytest.raises(TypeError, match="does not say of which input"):
        edgeq.convert("net.onnx", shape=(1, 3))


@pytest.mark.slow
def test_a_module_deployed_and_its_bundle_raced(tmp_path: Path, own_home: Path) -> None:
    limits = edgeq.Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)
    there = {"root": tmp_path / "root", "store": tmp_path / "s.db", "limits": limits}
    done = edgeq.deploy(Small(), data=(X, Y), runtime="onnxruntime", max_drop=100, **there)
    assert done.app is not None and done.app.name == "Small" and done.changed
    assert not edgeq.deploy(done.conversion, **there).changed
    assert edgeq.bench(done.conversion, **there).reports


def test_a_module_exported(tmp_path: Path) -> None:
    done = edgeq.export(
        Small(),
        data=X,
        target="x86-64-vnni",
        runtime="onnxruntime",
        recipe="float",
        output=tmp_path / "small.onnx",
    )
    assert onnx.load(done.path).graph.input[0].name == "x"
