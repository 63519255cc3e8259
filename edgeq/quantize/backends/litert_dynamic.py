"""Dynamic int8 for LiteRT."""

from collections.abc import Mapping
from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.nouns.repairs import Tried
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import tflite_untouched
from edgeq.quantize.audit.tflite_kernels import tflite_fusion
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.litert.kernels import without_kernel
from edgeq.quantize.backends.refused_layers import NONE_REFUSED
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise


class TfliteDynamic:
    """Weights int8, activations quantized as they come, for LiteRT."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(
        self, source: Path, path: Path, runtime: str, refused: Mapping[str, str] = NONE_REFUSED
    ) -> None:
        """`refused` are operators that cannot be quantized, by first output, with the reason."""
        self.source, self.path, self.runtime = source, path, runtime
        self.in_float = {**without_kernel(source, runtime, None), **refused}

    def write(self, leave: frozenset[str]) -> None:
        emit.emit_dynamic(self.source, self.path, self.runtime, leave.union(self.in_float))

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return float_layers.tflite_dynamic(self.path, self.in_float)

    def fusion(self) -> tuple[FusionAudit, ...]:
        return tflite_fusion(self.path, dynamic=True)

    def untouched(self) -> bool:
        return tflite_untouched(self.source, self.path)
