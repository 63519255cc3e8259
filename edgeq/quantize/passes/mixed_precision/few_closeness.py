"""How close a file with other layers in float is to the float model, on some calibration samples, before any layer is fitted."""

from pathlib import Path

from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.backends.litert_static import TfliteStatic
from edgeq.quantize.backends.ort_static import OnnxStatic
from edgeq.quantize.evaluate.closeness import Some
from edgeq.quantize.evaluate.pre_softmax_outputs import evenly
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.run_model import Progress, load, run
from edgeq.quantize.samples import Array, SamplesLike

_SAMPLES = 64
_EQUAL_DB = 200.0  # stands for no error at all


class Closeness:
    """Called with the layers that stay in float: the SQNR, in dB, of the output that is farthest from float."""

    def __init__(
        self,
        variant: OnnxStatic | TfliteStatic,
        candidate: CandidatePlan,
        model: Model,
        calibration: SamplesLike,
        scratch: Path,
        threads: int,
        progress: Progress,
    ) -> None:
        self._variant, self._format, self._scratch, self._threads = (
            variant,
            candidate.format,
            scratch,
            threads,
        )
        self._source, self._progress = Path(model.files[candidate.format]), progress
        self._samples = Some(calibration, evenly(calibration.count, _SAMPLES))
        self._float: tuple[Array, ...] | None = None

    def __call__(self, leave: frozenset[str]) -> float:
        if self._float is None:
            self._float = self._outputs(self._source, "float")
        self._variant.write_rounded(leave)
        found = self._outputs(self._variant.path, "tried")
        each = [sqnr_db(r, c) for r, c in zip(self._float, found, strict=True) if r.dtype.kind not in "iub"]
        return min((_EQUAL_DB if db is None else db for db in each), default=_EQUAL_DB)

    def _outputs(self, path: Path, name: str) -> tuple[Array, ...]:
        runner = load(path, self._format, self._threads)
        stage = "try a few layers in float"
        return run(runner, self._samples, self._scratch / name, progress=self._progress, stage=stage)
