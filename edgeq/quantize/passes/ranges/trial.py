"""Files to try ranges with: quantized once, then only patched where the format allows it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgeq.foreign import translated
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.stages import ending_at
from edgeq.quantize.calibration.tensor_stats import Range
from edgeq.quantize.evaluate.evaluator import SCRATCH
from edgeq.quantize.evaluate.pre_softmax_outputs import pre_softmax_of, tensors_in
from edgeq.quantize.passes.ranges.patch_ranges import PatchableQdq

if TYPE_CHECKING:
    import onnx

Write = Callable[[dict[str, Range]], None]


class Trial(Protocol):
    """`write` writes the file at `path`, which is compared with `float_path`; after that `single` are the tensors whose
    ranges can be tried one by one.
    """

    path: Path
    float_path: Path

    def write(self, ranges: dict[str, Range]) -> None: ...

    def single(self) -> tuple[str, ...]: ...


class OnnxTrial:
    """`emit` quantizes `model` into `path`, which for MobileNetV2 takes as long as 200 inferences. Both files end at
    the pre-softmax outputs (pre_softmax_outputs.py).
    """

    def __init__(self, model: "onnx.ModelProto", emit: Write, path: Path) -> None:
        self._emit, self.path = emit, path
        self.float_path = path.parent / SCRATCH / "float.onnx"
        self._outputs = pre_softmax_of(model)
        self._patchable: PatchableQdq | None = None
        self._save(ending_at(model, tensors_in(model, self._outputs)), self.float_path)

    def write(self, ranges: dict[str, Range]) -> None:
        if self._patchable is None:
            self._emit(ranges)
            emitted = read_onnx(self.path)
            cut = ending_at(emitted, tensors_in(emitted, self._outputs))
            self._patchable = PatchableQdq(cut, ranges)
        self._save(self._patchable.with_ranges(ranges), self.path)

    def single(self) -> tuple[str, ...]:
        return () if self._patchable is None else self._patchable.tensors

    @staticmethod
    def _save(model: "onnx.ModelProto", path: Path) -> None:
        import onnx

        path.parent.mkdir(parents=True, exist_ok=True)
        with translated(f"cannot write {path.name}"):
            onnx.save(model, str(path))


class TfliteTrial:
    """Quantizes again each time, too slowly to try tensors one by one."""

    def __init__(self, source: Path, emit: Write, path: Path) -> None:
        self.float_path, self.write, self.path = source, emit, path

    def single(self) -> tuple[str, ...]:
        return ()
