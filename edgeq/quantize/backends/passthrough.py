"""The source's own file, float or quantized already."""

import shutil
from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import CandidatePlan, Skipped
from edgeq.nouns.repairs import Tried
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.audit.tflite_kernels import tflite_fusion
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise


class AsItIs:
    """The source's own file: float, or quantized already."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(self, source: Path, path: Path, candidate: CandidatePlan) -> None:
        self.source, self.path, self.candidate = source, path, candidate

    def write(self, leave: frozenset[str]) -> None:
        shutil.copyfile(self.source, self.path)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return ()

    def fusion(self) -> tuple[FusionAudit, ...]:
        if self.candidate.recipe == "float":
            return ()
        if self.candidate.format == "tflite":
            return tflite_fusion(self.path)
        return onnx_fusion(self.path, None)

    def untouched(self) -> bool:
        return False
