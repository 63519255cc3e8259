"""Dynamic int8 for onnxruntime: what it has no kernel for is rewritten, what rounding would break is evened out first."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.nouns.repairs import ALL, OFF, Tried
from edgeq.quantize.audit import left_in_float
from edgeq.quantize.audit.fusion import onnx_fusion
from edgeq.quantize.audit.noise import Noise
from edgeq.quantize.audit.untouched import onnx_untouched
from edgeq.quantize.emitters import onnx_dynamic
from edgeq.quantize.float_graph import read
from edgeq.quantize.host_run import Progress
from edgeq.quantize.own_forms import in_own_forms
from edgeq.quantize.refused_layers import NONE_REFUSED
from edgeq.quantize.samples_like import SamplesLike
from edgeq.quantize.smooth import Smoothed, smoothed


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
                partial(onnx_dynamic.quantized, reduce_range=seven_bits, leave=frozenset(refused)),
                calibration,
                threads=threads,
                progress=progress,
            )

        self.repairs = tuple(tried for tried in (embeddings, self.smooth.tried) if tried)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return (*self.rewritten.remedies, *self.smooth.remedies)

    def write(self, leave: frozenset[str]) -> None:
        onnx_dynamic.emit(
            self.smooth.model, self.path, reduce_range=self.seven_bits, leave=leave.union(self.refused)
        )

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return (*self.rewritten.left, *left_in_float.onnx_dynamic(self.path, self.refused))

    def fusion(self) -> tuple[FusionAudit, ...]:
        return onnx_fusion(self.path, None)

    def untouched(self) -> bool:
        return not self.rewritten.stored and onnx_untouched(self.path)
