"""Files to try ranges with: quantized once, then only patched where the format allows it.

Of a QDQ file scales and zero points of activations are patched, and biases, whose scale is that of the input times that of
the weights. Much faster than quantizing again, and the same file but for biases that differ by one step.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import OWN_RANGE
from edgeq.graphs.stages import ending_at
from edgeq.graphs.weightless import weightless
from edgeq.graphs.weights_beside import save
from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.float_outputs import FloatOutputs
from edgeq.quantize.calibration.tensor_stats import Range
from edgeq.quantize.evaluate.evaluator import SCRATCH, Evaluator, file_evaluator
from edgeq.quantize.evaluate.pre_softmax_outputs import pre_softmax_of, tensors_in
from edgeq.quantize.numerics import Grid, affine
from edgeq.quantize.samples import Subset

if TYPE_CHECKING:
    import onnx

RENAMED = "_QuantizeLinear_Input"
"""What the quantizer appends to a tensor before the Q of a graph output, whose name the DQ gets."""

Array = npt.NDArray[Any]
Write = Callable[[dict[str, Range]], None]


class Trial(Protocol):
    """`write` writes the file at `path`, which an `evaluator` compares with float; after that `single` are the tensors whose
    ranges can be tried one by one.
    """

    path: Path

    def write(self, ranges: dict[str, Range]) -> None: ...

    def evaluator(
        self,
        samples: Subset,
        threads: int,
        model: str = "",
        cache: ArrayCache = NO_CACHE,
        known: FloatOutputs | None = None,
    ) -> Evaluator[Path]:
        """At the pre-softmax outputs; of a .tflite at its own. With a `cache`, float's outputs of the model of sha256 `model` are
        kept there, unless they are `known`.
        """
        ...

    def single(self) -> tuple[str, ...]: ...


class OnnxTrial:
    """`emit` quantizes `model` into `path`, which for MobileNetV2 takes as long as 200 inferences. Both files end at
    the pre-softmax outputs (pre_softmax_outputs.py); the weights of large ones lie beside them, in the scratch folder.
    """

    def __init__(self, model: "onnx.ModelProto", emit: Write, path: Path) -> None:
        self._emit, self.path = emit, path
        self._float_path = path.parent / SCRATCH / "float.onnx"
        self._outputs = pre_softmax_of(model)
        self._patchable: PatchableQdq | None = None
        self._tensors = tensors_in(model, self._outputs)
        self._save(ending_at(weightless(model), self._tensors), model, self._float_path)

    def write(self, ranges: dict[str, Range]) -> None:
        if self._patchable is None:
            self._emit(ranges)
            emitted = read_onnx(self.path)
            cut = ending_at(weightless(emitted), tensors_in(emitted, self._outputs))
            self._save(cut, emitted, self.path)  # with it the weights, which stay where they are
            self._patchable = PatchableQdq(cut, ranges)
        with as_conversion_failed(f"cannot write {self.path.name}"):
            self.path.write_bytes(self._patchable.with_ranges(ranges).SerializeToString())

    def evaluator(
        self,
        samples: Subset,
        threads: int,
        model: str = "",
        cache: ArrayCache = NO_CACHE,
        known: FloatOutputs | None = None,
    ) -> Evaluator[Path]:
        found = known.of(self._tensors, samples) if known else None
        return file_evaluator(self._float_path, samples, threads, model=model, cache=cache, known=found)

    def single(self) -> tuple[str, ...]:
        return () if self._patchable is None else self._patchable.tensors

    def _save(self, graph: "onnx.ModelProto", weights: "onnx.ModelProto", path: Path) -> None:
        beside = self.path.parent / SCRATCH / f"{path.stem}.weights"
        with as_conversion_failed(f"cannot write {path.name}"):
            save(graph, weights, path, beside)


class TfliteTrial:
    """Quantizes again each time, too slowly to try tensors one by one."""

    def __init__(self, source: Path, emit: Write, path: Path) -> None:
        self._source, self.write, self.path = source, emit, path

    def evaluator(
        self,
        samples: Subset,
        threads: int,
        model: str = "",
        cache: ArrayCache = NO_CACHE,
        known: FloatOutputs | None = None,
    ) -> Evaluator[Path]:
        return file_evaluator(self._source, samples, threads, model=model, cache=cache)

    def single(self) -> tuple[str, ...]:
        return ()


class PatchableQdq:
    """`emitted` is a QDQ model that was written with `ranges`; it stays as it is."""

    def __init__(self, emitted: "onnx.ModelProto", ranges: Mapping[str, Range]) -> None:
        self._emitted = emitted
        index = index_of(emitted.graph)
        self._ranges = {name: ranges[name] for name in _quantized(index, ranges)}
        self._biases = _biases(index)
        own = {
            name.removesuffix(RENAMED)
            for node in index.nodes
            if node.op_type in OWN_RANGE
            for name in node.output
        }
        self._fixed = {
            name: range
            for name, range in ranges.items()
            if f"{name}_scale" in index.constants and name not in self._ranges and name not in own
        }

    @property
    def tensors(self) -> tuple[str, ...]:
        """Those whose ranges matter. Others are not quantized, or their operator determines the range."""
        return tuple(self._ranges)

    def can_take(self, ranges: Mapping[str, Range]) -> bool:
        """Whether they differ from the written ones in `tensors` alone, and every bias still fits into 32 bits: where one does
        not, the quantizer widens the scale of the weights.
        """
        if any(ranges.get(name) != range for name, range in self._fixed.items()):
            return False
        file = _File(self._emitted, self._biases)
        return all(file.holds(name, ranges[name]) for name in self._others(ranges))

    def with_ranges(self, ranges: Mapping[str, Range]) -> "onnx.ModelProto":
        """A copy with these ranges; the model itself where they are those that it was written with."""
        others = self._others(ranges)
        if not others:
            return self._emitted
        copy = copied(self._emitted)
        file = _File(copy, self._biases)
        for name in others:
            file.set(name, ranges[name])
        return copy

    def _others(self, ranges: Mapping[str, Range]) -> list[str]:
        return [name for name, old in self._ranges.items() if ranges[name] != old]


class _File:
    """A QDQ model that is changed in place, with its `_biases`."""

    def __init__(self, model: "onnx.ModelProto", biases: Mapping[str, list[tuple[str, str]]]) -> None:
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._biases = biases

    def holds(self, name: str, range: Range) -> bool:
        """Whether the biases whose scale follows from this tensor's fit with this range."""
        before = self._array(f"{name}_scale")
        scale = affine(*range, _grid(self._array(f"{name}_zero_point").dtype)).scale
        most = np.iinfo(np.int32).max * float(scale.reshape(())) / float(before.reshape(()))
        biases = self._biases.get(f"{name}_scale", ())
        return all(
            np.abs(self._array(whole).astype(np.float64)).max(initial=0) <= most for whole, _ in biases
        )

    def set(self, name: str, range: Range) -> None:
        scale, zero = f"{name}_scale", f"{name}_zero_point"
        before, zero_before = self._array(scale), self._array(zero)
        params = affine(*range, _grid(zero_before.dtype))
        self._put(scale, params.scale.astype(before.dtype).reshape(before.shape))
        self._put(zero, params.zero_point.astype(zero_before.dtype).reshape(zero_before.shape))
        ratio = float(before.reshape(())) / float(params.scale.reshape(()))
        for integers, step in self._biases.get(scale, ()):
            limits = np.iinfo(np.int32)
            whole = np.clip(
                np.round(self._array(integers).astype(np.float64) * ratio), limits.min, limits.max
            )
            self._put(integers, whole.astype(np.int32))
            self._put(step, np.asarray(self._array(step) / np.float32(ratio), np.float32))

    def _array(self, name: str) -> Array:
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self._stored[name]))

    def _put(self, name: str, array: Array) -> None:
        import onnx

        self._stored[name].CopyFrom(onnx.numpy_helper.from_array(array, name))


def _quantized(index: OnnxIndex, ranges: Mapping[str, Range]) -> list[str]:
    """The tensors whose scale in the file is that of their range, in the file's order."""
    import onnx

    stored = index.constants
    found: list[str] = []
    for node in index.nodes:
        name = node.input[1].removesuffix("_scale") if node.op_type == "QuantizeLinear" else ""
        if name not in ranges or name in found or f"{name}_zero_point" not in stored:
            continue
        scale, zero = (onnx.numpy_helper.to_array(stored[n]) for n in node.input[1:3])
        params = affine(*ranges[name], _grid(zero.dtype))
        if scale.size == 1 and np.isclose(scale, params.scale, rtol=1e-5):
            found.append(name)
    return found


def _biases(index: OnnxIndex) -> dict[str, list[tuple[str, str]]]:
    """By scale of the input: (integers, scale) of the biases whose scale follows from it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in index.nodes:
        if node.op_type not in ("Conv", "Gemm") or len(node.input) < 3:
            continue
        data, bias = (index.producer(node.input[k]) for k in (0, 2))
        if data is None or bias is None or {data.op_type, bias.op_type} != {"DequantizeLinear"}:
            continue
        if index.initializer(bias.input[0]) is not None:
            found.setdefault(data.input[1], []).append((bias.input[0], bias.input[1]))
    return found


def _grid(dtype: Any) -> Grid:
    return Grid(bits=8 * dtype.itemsize, signed=dtype.kind == "i")
