"""Samples of several shapes calibrate and judge a graph that leaves its dimensions open; it stays open in what ships."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser
from PIL import Image

from edgeq.bundle import read_check
from edgeq.conversion.bundle_samples import of_data, open_data
from edgeq.errors import DataRefused, ModelRefused
from edgeq.nouns.project import Gates
from edgeq.nouns.results import Conversion
from edgeq.workflow.convert import convert

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
WORDS = (
    HEAD
    + """net (int64[batch,length] ids) => (float[batch,4] scores) {
    found = Gather(table, ids) a = MatMul(found, w) b = Relu(a) c = MatMul(b, v)
    mean = ReduceMean <axes = [1], keepdims = 0> (c) scores = MatMul(mean, head) }"""
)
ONE_LENGTH = WORDS.replace("int64[batch,length]", "int64[1,9]")
IMAGES = (
    HEAD
    + """net (float[1,8,height,width] x) => (float[1,4,h,w] map) {
    a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, p) b = Relu(a)
    c = Conv <pads = [1, 1, 1, 1]> (b, q) map = Conv(c, r) }"""
)
WEIGHTS = {"table": (60, 32), "w": (32, 64), "v": (64, 32), "head": (32, 4)}
KERNELS = {"p": (16, 8, 3, 3), "q": (16, 16, 3, 3), "r": (4, 16, 1, 1)}
LENGTHS = (5, 9, 9, 3, 12, 9, 7, 5)  # 9 is the most frequent
SIZES = ((16, 16), (32, 16), (24, 40), (32, 16))


def texts(count: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 60, LENGTHS[i % len(LENGTHS)]) for i in range(count)]


def images(count: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=(8, *SIZES[i % 4])).astype(np.float32) for i in range(count)]


def folder_of(samples: list[np.ndarray], folder: Path) -> str:
    folder.mkdir()
    for i, sample in enumerate(samples):
        np.save(folder / f"{i:03}.npy", sample)
    return str(folder)


def saved(text: str, weights: Mapping[str, tuple[int, ...]], folder: Path) -> str:
    model, rng = parser.parse_model(text), np.random.default_rng(0)
    for name, shape in weights.items():
        values = rng.normal(scale=np.prod(shape[1:]) ** -0.5, size=shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    onnx.save(model, str(folder / "net.onnx"))
    return str(folder / "net.onnx")


def converted(model: str, data: str, folder: Path, **options: object) -> Conversion:
    return convert(
        model,
        data=data,
        target="x86-64-vnni",
        output=folder / "net.edgeq",
        **{"recipe": "int8_static", **options},  # type: ignore[arg-type]
    )


def shipped(conversion: Conversion, folder: Path) -> onnxruntime.InferenceSession:
    conversion.bundle.extract(folder / "out")
    return onnxruntime.InferenceSession(
        str(folder / "out/candidates/onnxruntime-int8_static/model.onnx"), providers=["CPUExecutionProvider"]
    )


def contract(conversion: Conversion) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(
        conversion.bundle.artifact("candidates/onnxruntime-int8_static/contract.json")
    )
    return found


def test_texts_of_any_length(tmp_path: Path) -> None:
    data = folder_of(texts(), tmp_path / "texts")
    made = converted(saved(WORDS, WEIGHTS, tmp_path), data, tmp_path)
    assert made.data is not None
    assert (made.data.calibrate, made.data.judge) == (20, 20)
    note, *_ = made.data.notes
    assert note.startswith("samples of 5 shapes, ids 1x3 to 1x12: each calibrates or judges with its own")
    assert "measures with ids 1x9" in note
    (int8,) = (f for f in made.fidelity if f.candidate == "onnxruntime-int8_static")
    assert int8.samples == 20
    assert sum(a.integer for a in int8.fusion) == 3

    session = shipped(made, tmp_path)
    for length in (1, 4, 30):  # two of which no sample has
        assert session.run(None, {"ids": np.zeros((1, length), np.int64)})[0].shape == (1, 4)


def test_the_contract_leaves_open_what_the_file_leaves_open(tmp_path: Path) -> None:
    made = converted(saved(WORDS, WEIGHTS, tmp_path), folder_of(texts(), tmp_path / "t"), tmp_path)
    assert contract(made)["inputs"][0]["shape"] == [1, None]
    assert contract(made)["outputs"][0]["shape"] == [1, 4]


def test_the_device_is_given_samples_of_the_most_frequent_shape(tmp_path: Path) -> None:
    made = converted(saved(WORDS, WEIGHTS, tmp_path), folder_of(texts(), tmp_path / "t"), tmp_path)
    check = read_check(made.bundle)
    assert check is not None
    assert check.inputs[0].shape[1:] == (1, 9)
    assert 1 < len(check.inputs[0]) < 20


def test_images_of_any_size(tmp_path: Path) -> None:
    made = converted(saved(IMAGES, KERNELS, tmp_path), folder_of(images(), tmp_path / "i"), tmp_path)
    (int8,) = (f for f in made.fidelity if f.candidate == "onnxruntime-int8_static")
    assert int8.samples == 20
    assert int8.outputs[0].sqnr_db is not None
    assert int8.outputs[0].sqnr_db > 25
    assert contract(made)["inputs"][0]["shape"] == [1, 8, None, None]
    session = shipped(made, tmp_path)
    assert session.run(None, {"x": np.zeros((1, 8, 20, 64), np.float32)})[0].shape == (1, 4, 10, 32)


def test_a_function_yields_them_and_is_run_once(tmp_path: Path) -> None:
    (tmp_path / "samples.py").write_text(
        "import numpy as np\n"
        "def texts():\n"
        f"    with open({str(tmp_path / 'runs')!r}, 'a') as file:\n"
        "        file.write('x')\n"
        "    rng = np.random.default_rng(0)\n"
        "    for i in range(30):\n"
        "        yield rng.integers(0, 60, 3 + i % 5)\n"
    )
    model = saved(WORDS, WEIGHTS, tmp_path)
    made = converted(model, f"{tmp_path / 'samples.py'}:texts", tmp_path)
    assert made.model is not None
    assert made.model.varied is not None
    assert made.model.varied.shapes == 5
    assert (tmp_path / "runs").read_text() == "xx"  # once for its first sample, once for all


def test_a_file_holds_one_array_per_sample(tmp_path: Path) -> None:
    np.savez(tmp_path / "texts.npz", *texts())
    made = converted(saved(WORDS, WEIGHTS, tmp_path), str(tmp_path / "texts.npz"), tmp_path)
    assert made.data is not None
    assert (made.data.calibrate, made.data.judge) == (20, 20)
    assert made.model is not None
    assert made.model.varied is not None
    assert made.model.varied.device == {"ids": (1, 9)}


def test_samples_of_one_shape_fix_it(tmp_path: Path) -> None:
    data = folder_of([t for t in texts() if len(t) == 9], tmp_path / "t")
    made = converted(saved(WORDS, WEIGHTS, tmp_path), data, tmp_path)
    assert made.model is not None
    assert made.model.varied is None
    assert contract(made)["inputs"][0]["shape"] == [1, 9]


@pytest.mark.parametrize(("text", "options"), [(ONE_LENGTH, {}), (WORDS, {"shape": {"ids": (1, 9)}})])
def test_a_fixed_graph_refuses_other_shapes(tmp_path: Path, text: str, options: dict[str, object]) -> None:
    data = folder_of(texts(), tmp_path / "t")
    with pytest.raises(DataRefused) as refused:
        converted(saved(text, WEIGHTS, tmp_path), data, tmp_path, **options)
    assert "has the shape 5, the input ids expects 1x9" in refused.value.what
    assert refused.value.remedy is not None
    assert "an ONNX model that leaves these dimensions open, and no --shape" in refused.value.remedy


def test_a_length_that_the_exporter_fixed_inside_is_said(tmp_path: Path) -> None:
    baked = WORDS.replace("mean = ReduceMean", "d = Reshape(c, nine) mean = ReduceMean").replace(
        "(c) scores", "(d) scores"
    )
    path = saved(baked, WEIGHTS, tmp_path)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 9, 32]), "nine"))
    onnx.save(model, path)
    with pytest.raises(ModelRefused) as refused:
        converted(path, folder_of(texts(), tmp_path / "t"), tmp_path)
    assert "whose inputs leave that open, does not run on ids 1x3: Reshape" in refused.value.what


def test_emulation_is_tried_with_those_of_one_shape(tmp_path: Path) -> None:
    data = folder_of(texts(), tmp_path / "t")
    made = converted(saved(WORDS, WEIGHTS, tmp_path), data, tmp_path)
    chosen = of_data(made.bundle, open_data(made.bundle, data, None), data, None, None, tmp_path / "chosen")
    assert chosen[0][0].shape == (1, 9)
    assert chosen.judged
    assert f"of the {chosen.count} whose shape is that of the samples in the bundle" in chosen.source


def test_photos_as_they_are(tmp_path: Path) -> None:
    photos, rng = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    for i in range(20):
        pixels = rng.integers(0, 256, (*SIZES[i % 4], 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{i:02}.png")
    three = IMAGES.replace("float[1,8,height,width]", "float[1,3,height,width]")
    made = converted(
        saved(three, {**KERNELS, "p": (16, 3, 3, 3)}, tmp_path),
        str(photos),
        tmp_path,
        preprocess="scale=1/255,layout=NCHW",
        passes="-thin",
    )
    assert made.model is not None
    assert made.model.varied is not None
    assert made.model.varied.largest == {"x": (1, 3, 24, 40)}


def test_labels_judge_samples_of_every_shape(tmp_path: Path) -> None:
    model = saved(WORDS, WEIGHTS, tmp_path)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels = [int(session.run(None, {"ids": t[None]})[0].argmax()) for t in texts(100)]
    np.savez(tmp_path / "texts.npz", *texts(100), labels=np.array(labels))
    made = converted(model, str(tmp_path / "texts.npz"), tmp_path, gates=Gates(max_drop=20))
    (int8,) = (f for f in made.fidelity if f.candidate == "onnxruntime-int8_static")
    assert int8.accuracy is not None
    assert (int8.accuracy.samples, int8.accuracy.float_score) == (50, 100.0)
    check = read_check(made.bundle)
    assert check is not None
    assert check.labels is not None
    assert len(check.labels) == len(check.inputs[0]) < 50


def test_tflite_alone_is_refused(tmp_path: Path) -> None:
    data = folder_of(texts(), tmp_path / "t")
    with pytest.raises(ModelRefused, match=r"a \.tflite file takes one shape"):
        converted(saved(WORDS, WEIGHTS, tmp_path), data, tmp_path, runtime="litert")
