"""Float16 for onnxruntime."""

from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.nouns.repairs import Tried
from edgeq.quantize.audit import left_in_float
from edgeq.quantize.audit.noise import Noise
from edgeq.quantize.audit.untouched import onnx_untouched
from edgeq.quantize.emitters import onnx_half
from edgeq.quantize.float_graph import read
from edgeq.quantize.host_run import Progress
from edgeq.quantize.samples_like import SamplesLike


class OnnxHalf:
    """Float16."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(self, source: Path, path: Path) -> None:
        self.source, self.path = source, path

    def write(self, leave: frozenset[str]) -> None:
        onnx_half.emit(read(self.source), self.path)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return left_in_float.onnx_half(self.path)

    def fusion(self) -> tuple[FusionAudit, ...]:
        return ()

    def untouched(self) -> bool:
        return onnx_untouched(self.path)
