"""What a conversion says of its samples, and what it refuses before it makes anything."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.bundle import read_check
from edgeq.errors import DataRefused
from edgeq.nouns.project import Gates
from edgeq.nouns.results import Conversion
from edgeq.workflow.convert import convert

FLOAT32 = onnx.TensorProto.FLOAT


def classifier(path: Path) -> str:
    """Four classes: the largest of four inputs, with a bias that only small inputs cannot overcome."""
    weights = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    bias = numpy_helper.from_array(np.array([9, 0, 0, 0], np.float32), "b")
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"])
    x, y = (helper.make_tensor_value_info(n, FLOAT32, [1, 4]) for n in "xy")
    graph = helper.make_graph([node], "net", [x], [y], [weights, bias])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return str(path)


def converted(folder: Path, x: np.ndarray, labels: np.ndarray | None, **gates: object) -> Conversion:
    arrays = {"x": x} if labels is None else {"x": x, "labels": labels}
    np.savez(folder / "d.npz", **arrays)
    return convert(
        classifier(folder / "net.onnx"),
        data=str(folder / "d.npz"),
        target="x86-64-vnni",
        runtime="onnxruntime",
        output=folder / "net.edgeq",
        gates=Gates(**gates),  # type: ignore[arg-type]
    )


LABELS = np.arange(200) % 4
BRIGHT = 100 * np.eye(4, dtype=np.float32)[LABELS] + np.random.default_rng(0).normal(size=(200, 4)).astype(
    "f4"
)


def test_what_the_samples_are_used_for_stands_in_the_result_and_in_the_bundle(tmp_path: Path) -> None:
    first = converted(tmp_path, BRIGHT, np.eye(4)[LABELS])
    assert first.data is not None
    assert (first.data.calibrate, first.data.judge, first.data.labels) == (100, 100, "one-hot over 4 classes")
    assert (first.data.metric, first.data.float_score) == ("top-1", 100.0)
    assert first.data.gate == "top-1 may fall by at most 1 point (default)"
    again = converted(tmp_path, BRIGHT, np.eye(4)[LABELS])
    assert again.reused
    assert again.to_dict()["data"] == {**first.data.to_dict(), "source": "d.npz"}


def test_equal_samples_that_go_unused_are_counted(tmp_path: Path) -> None:
    done = converted(tmp_path, np.concatenate([BRIGHT[:32], np.repeat(BRIGHT[32:33], 64, axis=0)]), None)
    assert done.data is not None
    unused, no_scores = done.data.notes
    assert unused == "96 samples, 33 different: 18 duplicates are not used"
    assert no_scores == (
        "the output does not look like class scores: it has the shape of an input, as a reconstruction has (if it is, "
        "use --min-agreement)"
    )
    assert done.data.warnings == ()


def test_samples_without_any_value_but_one_are_a_warning(tmp_path: Path) -> None:
    done = converted(tmp_path, np.zeros((20, 4), np.float32), None, min_agreement=0)
    assert done.data is not None
    constant, few = done.data.warnings
    assert constant == "all calibration values are 0: ranges of a constant calibration set fit no other data"
    assert few.startswith("1 sample to calibrate: ranges from so few may clip other samples")


def test_samples_of_another_scale_are_refused_unless_their_labels_are_ignored(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="do not belong to this model") as refused:
        converted(tmp_path, BRIGHT / 255, LABELS)
    assert (
        "float is right on 18 of 64 samples as they are, and on 64 of them with every value 255 times larger"
        in str(refused.value)
    )
    assert not (tmp_path / "net.edgeq").exists()
    done = converted(tmp_path, BRIGHT / 255, LABELS, ignore_labels=True, min_agreement=50)
    assert done.data is not None
    assert done.data.labels == "labels ignored (--ignore-labels)"
    check = read_check(done.bundle)
    assert check is not None
    assert check.labels is None


def test_a_drop_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="1 point of accuracy cannot be judged: there are no labels"):
        converted(tmp_path, BRIGHT, None, max_drop=1.0)


@pytest.mark.parametrize(
    ("folders", "ignored", "named"),
    [
        (("ant", "bee", "c2", "c10"), None, ["ant", "bee", "c2", "c10"]),
        (("ant", "bee", "c2", "c10"), True, None),
        (("0", "1", "2", "3"), None, None),
        (("ant", "bee"), None, None),
    ],
)
def test_the_contract_names_the_classes_where_folders_name_all_of_them(
    folders: tuple[str, ...], ignored: bool | None, named: list[str] | None, tmp_path: Path
) -> None:
    for value, name in enumerate(folders):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(10):
            np.save(tmp_path / "d" / name / f"{i}.npy", 100 * np.eye(4, dtype=np.float32)[value] + i / 100)
    done = convert(
        classifier(tmp_path / "net.onnx"), data=str(tmp_path / "d"), target="x86-64-vnni", runtime="onnxruntime",
        output=tmp_path / "net.edgeq", ignore_labels=ignored,
    )  # fmt: skip
    (output,) = json.loads(done.bundle.artifact("candidates/onnxruntime-float/contract.json"))["outputs"]
    assert output.get("classes") == named


def test_fewer_class_folders_than_classes_are_a_warning(tmp_path: Path) -> None:
    for name, value in (("ant", 0), ("bee", 1)):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(20):
            np.save(tmp_path / "d" / name / f"{i}.npy", 100 * np.eye(4, dtype=np.float32)[value] + i / 100)
    done = convert(
        classifier(tmp_path / "net.onnx"), data=str(tmp_path / "d"), target="x86-64-vnni", runtime="onnxruntime",
        output=tmp_path / "net.edgeq",
    )  # fmt: skip
    assert done.data is not None
    assert done.data.notes == ("class folders, numbered in the order of their names: 0 ant, 1 bee",)
    (warning,) = done.data.warnings
    assert warning.startswith(
        "the model has 4 classes and there are 2 class folders, whose names are no numbers"
    )


@pytest.mark.parametrize("shape", [(1, 12, 40), (1, 6, 5)])
def test_float_that_the_runtime_computes_wrongly_is_named_and_refused(shape, tmp_path: Path) -> None:
    """onnxruntime 1.32 takes the Transpose into the product with a vector, and computes another one."""
    rng = np.random.default_rng(0)
    channels, length = shape[1:]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "k"], ["c"], pads=[1, 1]),
            helper.make_node("Transpose", ["c"], ["t"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["t", "w"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", FLOAT32, shape)],
        [helper.make_tensor_value_info("y", FLOAT32, [1, length])],
        [
            numpy_helper.from_array(rng.normal(size=(channels, channels, 3)).astype("f4"), "k"),
            numpy_helper.from_array(rng.normal(size=channels).astype("f4"), "w"),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "n.onnx",
    )
    np.savez(tmp_path / "d.npz", x=rng.normal(size=(40, *shape)).astype("f4"))
    made = convert(
        str(tmp_path / "n.onnx"),
        data=str(tmp_path / "d.npz"),
        target="rpi4",
        runtime="onnxruntime",
        output=tmp_path / "n.edgeq",
    )
    (warning,) = [w for w in made.data.warnings if "fault of the runtime" in w]
    assert warning.startswith("onnxruntime's optimised float differs from the graph's definition by")
    passed = {f.candidate: f.passed for f in made.fidelity}
    assert passed == {"onnxruntime-int8_static": True, "onnxruntime-float": False}
