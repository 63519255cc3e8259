"""Samples to which float itself has no answer are refused by name, before anything is made of the model."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.errors import DataRefused, GateFailed
from edgeq.ingest.samples import open_samples
from edgeq.ingest.split import split
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.tensor import TensorSpec
from edgeq.workflow.convert import convert
from tests.quantize.networks import model_of

COUNT, WORDS, WIDTH = 40, 6, 16
INPUTS = (TensorSpec("x", "float32", (1, WORDS, WIDTH)), TensorSpec("mask", "float32", (1, WORDS, WORDS)))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(COUNT, WORDS, WIDTH)).astype(np.float32)
MASK = np.where(RNG.random((COUNT, WORDS, WORDS)) < 0.2, -np.inf, 0).astype(np.float32)
MASK[:, :, 0] = 0  # the first word is always seen


def attention(path: Path) -> str:
    """A mask is added to the scores of every word with every other."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array((rng.normal(size=(WIDTH, WIDTH)) / 4).astype(np.float32), n) for n in "qkvo"
    ]
    nodes = [
        *(helper.make_node("MatMul", ["x", n], [f"x{n}"], name=f"x{n}") for n in "qkv"),
        helper.make_node("Transpose", ["xk"], ["xkt"], name="xkt", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["xq", "xkt"], ["scores"], name="scores"),
        helper.make_node("Add", ["scores", "mask"], ["masked"], name="masked"),
        helper.make_node("Softmax", ["masked"], ["shares"], name="shares", axis=-1),
        helper.make_node("MatMul", ["shares", "xv"], ["context"], name="context"),
        helper.make_node("MatMul", ["context", "o"], ["y"], name="y"),
    ]
    inputs = [("x", (1, WORDS, WIDTH)), ("mask", (1, WORDS, WORDS))]
    onnx.save(model_of(nodes, weights, inputs, [("y", (1, WORDS, WIDTH))]), str(path))
    return str(path)


def converted(folder: Path, model: str, **arrays: np.ndarray):
    """What was told, and why it was refused."""
    told: list[object] = []
    np.savez(folder / "d.npz", **arrays)
    with pytest.raises(DataRefused) as refused:
        convert(
            model,
            data=str(folder / "d.npz"),
            target="x86-64-vnni",
            runtime="onnxruntime",
            output=folder / "net.edgeq",
            tell=told.append,
        )
    return told, refused.value


def hiding_all_of(sample: int, rows: int) -> np.ndarray:
    mask = MASK.copy()
    mask[sample, :rows] = -np.inf
    return mask


def calibrates(folder: Path, mask: np.ndarray, sample: int) -> bool:
    np.savez(folder / "which.npz", x=X, mask=mask)
    return sample in split(open_samples(str(folder / "which.npz"), inputs=INPUTS)).calibration.indices


@pytest.mark.parametrize("rows", [1, WORDS], ids=["one word sees none", "no word sees any"])
@pytest.mark.parametrize("use", ["calibrates", "judges"])
def test_a_mask_that_hides_everything_is_named_before_anything_is_made(tmp_path, use, rows):
    sample = next(
        i for i in range(1, COUNT) if calibrates(tmp_path, hiding_all_of(i, rows), i) == (use == "calibrates")
    )
    told, refused = converted(
        tmp_path, attention(tmp_path / "net.onnx"), x=X, mask=hiding_all_of(sample, rows)
    )
    assert f"d.npz, sample {sample}: " in " ".join((str(refused), *refused.details))
    assert not [noun for noun in told if isinstance(noun, Fidelity)]


def normalising(path: Path, *, after: str) -> str:
    """(x - mean) / deviation, by 16 of 16 weights, and `after` that."""
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32), "w")
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], name="mean", axes=[1]),
        helper.make_node("Sub", ["x", "mean"], ["d"], name="d"),
        helper.make_node("ReduceL2", ["d"], ["size"], name="size", axes=[1]),
        helper.make_node("Div", ["d", "size"], ["n"], name="n"),
        helper.make_node("MatMul", ["n", "w"], ["m"], name="m"),
        *([helper.make_node("Relu", ["m"], ["r"], name="r")] if after == "Log" else []),
        helper.make_node(after, ["r" if after == "Log" else "m"], ["y"], name="y"),
    ]
    onnx.save(model_of(nodes, [weights], [("x", (1, 16))], [("y", (1, 16))]), str(path))
    return str(path)


def test_blank_samples_are_counted_and_the_first_of_them_named(tmp_path):
    x = RNG.normal(size=(COUNT, 16)).astype(np.float32)
    x[::4] = np.arange(1, COUNT // 4 + 1)[:, None]
    _, refused = converted(tmp_path, normalising(tmp_path / "net.onnx", after="Identity"), x=x)
    assert str(refused).startswith(
        f"the float model outputs NaN or infinity on {COUNT // 4} of {COUNT} samples"
    )
    assert len(refused.details) == 5
    assert refused.details[-1] == f"and {COUNT // 4 - 4} more"
    assert all(int(line.rpartition("sample ")[2].partition(":")[0]) % 4 == 0 for line in refused.details[:-1])


def test_of_a_model_without_any_answer_a_warning_says_so_and_float_is_there(tmp_path):
    x = np.repeat(np.arange(1, COUNT + 1, dtype=np.float32)[:, None], 16, axis=1)
    np.savez(tmp_path / "d.npz", x=x)
    net = normalising(tmp_path / "net.onnx", after="Identity")
    done = convert(
        net, data=str(tmp_path / "d.npz"), target="x86-64-vnni", recipe="float", output=tmp_path / "n.edgeq"
    )
    (warning,) = (w for w in done.data.warnings if "NaN" in w)
    assert warning.startswith(f"the float model outputs NaN or infinity on all of {COUNT} samples")
    assert [f.candidate for f in done.fidelity if f.passed] == ["onnxruntime-float"]
    with pytest.raises(GateFailed):
        convert(
            net,
            data=str(tmp_path / "d.npz"),
            target="x86-64-vnni",
            recipe="int8_static",
            output=tmp_path / "i.edgeq",
        )


def test_the_logarithm_of_nothing_beside_numbers_is_an_answer(tmp_path):
    np.savez(tmp_path / "d.npz", x=RNG.normal(size=(COUNT, 16)).astype(np.float32))
    done = convert(
        normalising(tmp_path / "net.onnx", after="Log"),
        data=str(tmp_path / "d.npz"),
        target="x86-64-vnni",
        recipe="float",
        output=tmp_path / "net.edgeq",
    )
    assert all(f.passed for f in done.fidelity)
