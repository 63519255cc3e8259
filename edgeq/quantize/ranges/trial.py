"""Files to try ranges with: quantized once in full, then only given other ranges where the format allows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edgeq.foreign import translated
from edgeq.quantize.observers.seen import Range

from .reranged import Reranged

Write = Callable[[dict[str, Range]], None]


class Trial(Protocol):
    """`write` makes the file at `path`; `single` are the tensors whose ranges can be tried alone, once it was called."""

    path: Path

    def write(self, ranges: dict[str, Range]) -> None: ...

    def single(self) -> tuple[str, ...]: ...


class OnnxTrial:
    """`emit` quantizes the model into `path`, which for MobileNetV2 takes as long as 200 inferences."""

    def __init__(self, emit: Write, path: Path) -> None:
        self._emit, self.path = emit, path
        self._reranged: Reranged | None = None

    def write(self, ranges: dict[str, Range]) -> None:
        import onnx

        if self._reranged is None:
            self._emit(ranges)
            self._reranged = Reranged(onnx.load(str(self.path)), ranges)
            return
        with translated(f"cannot write {self.path.name}"):
            onnx.save(self._reranged.model(ranges), str(self.path))

    def single(self) -> tuple[str, ...]:
        return () if self._reranged is None else self._reranged.tensors


class WholeTrial:
    """Quantizes anew each time, too slowly for tensors one by one."""

    def __init__(self, emit: Write, path: Path) -> None:
        self.write, self.path = emit, path

    def single(self) -> tuple[str, ...]:
        return ()
