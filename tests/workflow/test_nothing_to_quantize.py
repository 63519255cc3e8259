"""A model in which nothing can be quantized, or nothing with weights gains by it, ships as float, and says so; asked for
int8, it is refused.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.errors import GateFailed
from edgeq.nouns.results import Conversion
from edgeq.workflow.convert import convert
from tests.quantize.networks import images, inside_if, model_of


def converted(
    folder: Path,
    recipe: str | None = None,
    net: onnx.ModelProto | None = None,
    target: str = "rpi4",
    passes: str | None = None,
) -> Conversion:
    onnx.save(net or inside_if(), str(folder / "net.onnx"))
    np.savez(folder / "x.npz", x=images(20))
    return convert(
        str(folder / "net.onnx"),
        data=str(folder / "x.npz"),
        target=target,
        runtime="onnxruntime",
        recipe=recipe,
        passes=passes,
        output=folder / "net.edgeq",
    )


def two_thin_convolutions() -> onnx.ModelProto:
    """Too small to gain on onnxruntime; their sum and what comes behind it are quantized all the same."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=(8, 3, 3, 3)).astype(np.float32), n) for n in ("p", "q")
    ]
    nodes = [
        helper.make_node("Conv", ["x", "p"], ["a"], name="one", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["x", "q"], ["b"], name="other", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["a", "b"], ["sum"], name="sum"),
        helper.make_node("MaxPool", ["sum"], ["y"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    return model_of(nodes, weights, [("x", (1, 3, 16, 16))], [("y", (1, 8, 8, 8))])


def test_it_ships_as_float(tmp_path: Path) -> None:
    conversion = converted(tmp_path)
    assert [c.recipe for c in conversion.bundle.manifest.candidates] == ["float"]
    (why,) = [f.why_failed for f in conversion.fidelity if not f.passed]
    assert why is not None
    assert why.startswith("nothing in the graph could be quantized")


def test_int8_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateFailed, match="nothing in the graph could be quantized"):
        converted(tmp_path, "int8_static")


def test_additions_on_integers_between_float_layers_are_no_int8(tmp_path: Path) -> None:
    conversion = converted(tmp_path, net=two_thin_convolutions(), target="x86-64-vnni")
    assert [c.recipe for c in conversion.bundle.manifest.candidates] == ["float"]
    (int8,) = [f for f in conversion.fidelity if not f.passed]
    assert (int8.fusion[0].integer, int8.fusion[0].total) == (0, 2)
    assert int8.quantized_nothing
    assert int8.why_failed is not None
    assert int8.why_failed.startswith(
        "none of 2 layers with weights runs in int8: one, other (reduction length 27"
    )


def test_the_way_out_is_the_one_that_helps(tmp_path: Path) -> None:
    with pytest.raises(GateFailed) as refused:
        converted(tmp_path, "int8_static", two_thin_convolutions(), "x86-64-vnni")
    assert refused.value.remedy is not None
    assert refused.value.remedy.startswith("--passes -thin, which quantizes them anyway, or leave out")
    made = converted(tmp_path, "int8_static", two_thin_convolutions(), "x86-64-vnni", "-thin")
    assert "onnxruntime-int8_static" in [c.id for c in made.bundle.manifest.candidates]
