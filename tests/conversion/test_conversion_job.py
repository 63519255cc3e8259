"""An order is recognised by the contents of all its files, those that a model only names among them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq import catalog
from edgeq.conversion.conversion_job import conversion_job
from edgeq.nouns.passes import ALL
from edgeq.nouns.project import Gates
from edgeq.request.requests import ConvertRequest
from edgeq.request.resolved import resolved


def model(path: Path, weight: float) -> Path:
    """One multiplication whose factor lies in weights.bin."""
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1024]) for n in "xy"]
    factor = numpy_helper.from_array(np.full((1, 1024), weight, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"])], "net", values[:1], values[1:], [factor]
    )
    (path.parent / "weights.bin").unlink(missing_ok=True)
    onnx.save(
        helper.make_model(graph),
        str(path),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    return path


def key(path: Path, passes: str | None = None, **options: Any) -> str:
    asked = resolved(ConvertRequest(str(path), name="net", passes=passes, **options))
    return conversion_job(asked, catalog.target("rpi4"), {}, {}).key


@pytest.mark.parametrize("name", ["net.onnx", "net[1].onnx"])
def test_new_weights_beside_the_same_graph_are_another_order(tmp_path: Path, name: str) -> None:
    path = model(tmp_path / name, 1.0)
    graph, first = path.read_bytes(), key(path)
    assert key(model(path, 1.0)) == first
    again = key(model(path, 2.0))
    assert path.read_bytes() == graph
    assert again != first


def test_other_repairs_are_another_order(tmp_path: Path) -> None:
    path = model(tmp_path / "net.onnx", 1.0)
    assert key(path, "all,-mixed") == key(path, "-mixed") != key(path)
    assert key(path, ", ".join(reversed(ALL))) == key(path)


def test_equal_gates_are_one_order_however_they_are_given(tmp_path: Path) -> None:
    path = model(tmp_path / "net.onnx", 1.0)
    one = key(path, max_drop=1)
    for same in (1.0, np.float32(1)):
        assert key(path, max_drop=same) == key(path, gates=Gates(max_drop=same)) == one
    assert key(path, gates=Gates(max_drop=1)) == one != key(path, gates=Gates(max_drop=2))


def test_a_gate_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="max_drop takes a number"):
        resolved(ConvertRequest("net.onnx", gates=Gates(max_drop="1")))  # type: ignore[arg-type]


def test_a_model_whose_weights_are_missing_is_never_recognised(tmp_path: Path) -> None:
    path = model(tmp_path / "net.onnx", 1.0)
    (tmp_path / "weights.bin").unlink()
    assert key(path) == ""
