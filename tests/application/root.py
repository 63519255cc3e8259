"""edgeq's root on a device as far as an application sees it, with releases of one ONNX model each."""

import json
import shutil
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.agent.durable import point_link
from edgeq.application import RUNTIME, edgeq_runtime
from edgeq.bundle import contract
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.tensor import Preprocessing, TensorSpec

X = TensorSpec("x", "float32", (1, 4))
Y = TensorSpec("y", "float32", (1, 4))


@dataclass(frozen=True)
class Root:
    path: Path

    def release(
        self,
        digest: str,
        model: bytes,
        inputs: tuple[TensorSpec, ...] = (X,),
        outputs: tuple[TensorSpec, ...] = (Y,),
        preprocessing: Preprocessing | None = None,
        app: str = "net",
        **changes: Any,
    ) -> Path:
        """The folder of its only candidate; `changes` are written into contract.json."""
        folder = self.path / "apps" / app / "releases" / digest / "candidates" / "onnxruntime-float"
        folder.mkdir(parents=True)
        names = tuple(i.name for i in inputs), tuple(o.name for o in outputs)
        candidate = Candidate(folder.name, "onnxruntime", "float", "model.onnx", *names)
        known = json.loads(contract(app, candidate, inputs, outputs, preprocessing, 1)) | changes
        (folder / "contract.json").write_text(json.dumps(known))
        (folder / "model.onnx").write_bytes(model)
        shutil.copy(Path(edgeq_runtime.__file__), folder / RUNTIME)
        return folder

    def switch(self, digest: str, app: str = "net") -> None:
        point_link(self.path / "apps" / app / "current", f"releases/{digest}/candidates/onnxruntime-float")


def load(root: Root, **options: Any) -> edgeq_runtime.Model:
    return edgeq_runtime.load("net", root=root.path, **options)


def times(factor: float, dtype: str = "float32", shape: tuple[int | str, ...] = (1, 4)) -> bytes:
    """y = x * factor."""
    of = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ends = [helper.make_tensor_value_info(name, of, shape) for name in "xy"]
    by = numpy_helper.from_array(np.array(factor, dtype), "by")
    return _model([helper.make_node("Mul", ["x", "by"], ["y"])], ends[:1], ends[1:], [by])


def difference() -> bytes:
    """y = a - b, of 1x4 and a scalar."""
    a = helper.make_tensor_value_info("a", TensorProto.FLOAT, (1, 4))
    b = helper.make_tensor_value_info("b", TensorProto.INT64, ())
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))
    cast = helper.make_node("Cast", ["b"], ["b_float"], to=TensorProto.FLOAT)
    return _model([cast, helper.make_node("Sub", ["a", "b_float"], ["y"])], [a, b], [y])


def same(dtype: str, shape: tuple[int, ...]) -> bytes:
    """y = x."""
    of = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ends = [helper.make_tensor_value_info(name, of, shape) for name in "xy"]
    return _model([helper.make_node("Identity", ["x"], ["y"])], ends[:1], ends[1:])


def _model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any] | None = None
) -> bytes:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    return bytes(made.SerializeToString())


def imported(file: Path) -> ModuleType:
    """The module in a release, as an application has it that puts `current` on sys.path."""
    spec = spec_from_file_location("edgeq_runtime_of_a_release", file)
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
