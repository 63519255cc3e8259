"""Dynamic int8 for onnxruntime: what it has no kernel for is rewritten, what rounding would break is evened out first."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.nouns.repairs import ALL, OFF, Tried
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import onnx_untouched
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.backends.ort import dynamic
from edgeq.quantize.backends.refused_layers import NONE_REFUSED
from edgeq.quantize.float_graph import read
from edgeq.quantize.passes.lower_unsupported_ops import in_own_forms
from edgeq.quantize.passes.smooth import Smoothed, smoothed
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise


class OnnxDynamic:
    """Weights int8, activations quantized as they come. Without `calibration` nothing is evened out. `seven_bits`: for
    weights, where pairs of products would saturate. `refused` are nodes that cannot be quantized, with the reason.
    """

    calibrator: str | None = None

    def __init__(
        self,
        source: Path,
        path: Path,
        calibration: SamplesLike | None,
        threads: int,
        progress: Progress,
        *,
        seven_bits: bool = False,
        repairs: Collection[str] = ALL,
        refused: Mapping[str, str] = NONE_REFUSED,
    ) -> None:
        self.path, self.seven_bits, self.refused = path, seven_bits, refused
        self.rewritten, embeddings = in_own_forms(read(source), repairs)
        off = "there are no samples" if calibration is None else OFF
        self.smooth = Smoothed(self.rewritten.model, tried=Tried("smooth", False, off))
        if calibration is not None and "smooth" in repairs:
            self.smooth = smoothed(
                self.rewritten.model,
                partial(dynamic.quantized, reduce_range=seven_bits, leave=frozenset(refused)),
                calibration,
                threads=threads,
                progress=progress,
            )

        self.repairs = tuple(tried for tried in (embeddings, self.smooth.tried) if tried)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return (*self.rewritten.remedies, *self.smooth.remedies)

    def write(self, leave: frozenset[str]) -> None:
        dynamic.emit(
            self.smooth.model, self.path, reduce_range=self.seven_bits, leave=leave.union(self.refused)
        )

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return (*self.rewritten.left, *float_layers.onnx_dynamic(self.path, self.refused))

    def fusion(self) -> tuple[FusionAudit, ...]:
        return onnx_fusion(self.path, None)

    def untouched(self) -> bool:
        return not self.rewritten.stored and onnx_untouched(self.path)
