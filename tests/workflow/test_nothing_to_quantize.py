"""A model in which nothing can be quantized ships as float, and says so; asked for int8, it is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeq.errors import GateFailed
from edgeq.workflow.convert import Conversion, convert
from tests.quantize.networks import images, inside_if


def converted(folder: Path, recipe: str | None = None) -> Conversion:
    onnx.save(inside_if(), str(folder / "net.onnx"))
    np.savez(folder / "x.npz", x=images(20))
    return convert(
        str(folder / "net.onnx"),
        data=str(folder / "x.npz"),
        target="rpi4",
        runtime="onnxruntime",
        recipe=recipe,
        output=folder / "net.edgeq",
    )


def test_it_ships_as_float(tmp_path: Path) -> None:
    conversion = converted(tmp_path)
    assert [c.recipe for c in conversion.bundle.manifest.candidates] == ["float"]
    (why,) = [f.why_failed for f in conversion.fidelity if not f.passed]
    assert why is not None
    assert why.startswith("nothing in the graph could be quantized")


def test_int8_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateFailed, match="nothing in the graph could be quantized"):
        converted(tmp_path, "int8_static")
