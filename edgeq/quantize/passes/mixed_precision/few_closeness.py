"""How close a file with other layers in float is to the float model, on some calibration samples, before any layer is fitted."""

from pathlib import Path

from edgeq.quantize.evaluate.closeness import Some
from edgeq.quantize.evaluate.pre_softmax_outputs import evenly
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.run_model import load, run
from edgeq.quantize.samples import Array

_SAMPLES = 64
_EQUAL_DB = 200.0  # stands for no error at all
SCRATCH = "few"  # the folder for outputs


class Closeness:
    """Called with the layers that stay in float: the SQNR, in dB, of the output that is farthest from float."""

    def __init__(self, q: Quantization, context: Context) -> None:
        self._q, self._context = q, context
        calibration = context.calibration
        self._samples = Some(calibration, evenly(calibration.count, _SAMPLES))
        self._float: tuple[Array, ...] | None = None

    def __call__(self, leave: frozenset[str]) -> float:
        if self._float is None:
            self._float = self._outputs(self._q.source, "float")
        written = self._context.write(self._q, leave, fitted=False)
        found = self._outputs(written.path, "tried")
        each = [sqnr_db(r, c) for r, c in zip(self._float, found, strict=True) if r.dtype.kind not in "iub"]
        return min((_EQUAL_DB if db is None else db for db in each), default=_EQUAL_DB)

    def _outputs(self, path: Path, name: str) -> tuple[Array, ...]:
        runner = load(path, self._q.format, self._context.threads)
        scratch = self._context.path.parent / SCRATCH / name
        stage, progress = "try a few layers in float", self._context.progress
        return run(runner, self._samples, scratch, progress=progress, stage=stage)
