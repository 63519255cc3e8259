"""How close what was made comes to float, on the judged samples: top-1, agreement, SQNR, McNemar's test."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest  # type: ignore[import-untyped]

from benchmarks.quantization.cases import Array, Case
from benchmarks.quantization.contestants import Way
from benchmarks.quantization.work import Made
from edgeq.errors import EdgeqError
from edgeq.nouns.fidelity import FusionAudit
from edgeq.quantize.audit.kernels import onnx_fusion, tflite_fusion
from edgeq.quantize.evaluate.sqnr import agreement, first_classes, sqnr_db
from edgeq.quantize.run_model import load, run


@dataclass(frozen=True)
class Judged:
    """`made` as the same runtime as float's ran it here, or as its peer simulated it. `sqnr_db` None: equal to float."""

    made: Made
    top1: float
    float_top1: float
    agreement: float
    sqnr_db: float | None
    right: tuple[bool, ...]
    p_float: float
    integer: tuple[FusionAudit, ...]

    @property
    def way(self) -> Way:
        return self.made.way

    @property
    def size(self) -> int | None:
        return self.made.file.stat().st_size if self.made.file else None


def floats(case: Case, scratch: Path) -> Mapping[str, Array]:
    """Float's outputs on the judged samples, by format: each runtime is held against its own float."""
    return {format: _outputs(case.file(format), format, case, scratch) for format in case.models}


def judge(case: Case, made: Made, reference: Array, scratch: Path) -> Judged:
    """Raises EdgeqError when the runtime refuses the file."""
    way = made.way
    if made.file is not None:
        outputs = _outputs(made.file, way.format, case, scratch)
        integer = onnx_fusion(made.file, None) if way.format == "onnx" else tflite_fusion(made.file)
    elif made.outputs is not None:
        outputs, integer = np.load(made.outputs), ()
    else:
        raise EdgeqError(f"{way.who} wrote no file", "see its words with --again")
    labels = case.judged.labels
    assert labels is not None
    right, float_right = (first_classes(o) == labels for o in (outputs, reference))
    return Judged(
        made=made,
        top1=100.0 * float(right.mean()),
        float_top1=100.0 * float(float_right.mean()),
        agreement=agreement(reference, outputs),
        sqnr_db=sqnr_db(reference, outputs),
        right=tuple(map(bool, right)),
        p_float=mcnemar(right, float_right),
        integer=integer,
    )


def mcnemar(one: Array, other: Array) -> float:
    """Two-sided p of McNemar's exact test that both are right equally often; 1 where they are right on the same samples.

    The discordant pairs fall to either side like coins: a binomial test of them (McNemar 1947, exact form).
    """
    won, lost = int(np.sum(one & ~other)), int(np.sum(~one & other))
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _outputs(file: Path, format: str, case: Case, scratch: Path) -> Array:
    return run(load(file, format), case.judged, scratch)[0]
