"""Float16 for onnxruntime."""

from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.nouns.repairs import Tried
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import onnx_untouched
from edgeq.quantize.backends.ort import fp16
from edgeq.quantize.float_graph import read
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise


class OnnxHalf:
    """Float16."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(self, source: Path, path: Path) -> None:
        self.source, self.path = source, path

    def write(self, leave: frozenset[str]) -> None:
        fp16.emit(read(self.source), self.path)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return float_layers.onnx_half(self.path)

    def fusion(self) -> tuple[FusionAudit, ...]:
        return ()

    def untouched(self) -> bool:
        return onnx_untouched(self.path)
