"""Reconstructs a file and keeps that only where the model's outputs do not suffer by it."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.foreign import translated
from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.decisive import decisive_nodes, ending_at
from edgeq.quantize.error import sqnr_db
from edgeq.quantize.float_graph import write
from edgeq.quantize.host_run import Progress, load
from edgeq.quantize.memory import activation_bytes
from edgeq.quantize.samples_like import Array, SamplesLike

from .onnx_graph import reconstruct
from .qdq_file import Weights

_FEWEST, _MOST = 8, 128  # samples
_ROOM = 512 * 2**20  # bytes for what all samples hold between two layers, in float and quantized
_EXACT = 200.0  # dB; stands for no error at all

HOW = "integers and biases fitted layer by layer to what rounding before them leaves"


@dataclass(frozen=True)
class Reconstruction:
    """New weights by layer, none where nothing is gained."""

    weights: dict[str, Weights] = field(default_factory=dict)
    gain_db: float = 0.0

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return tuple(Remedy(name, HOW, round(self.gain_db, 1)) for name in self.weights)


def reconstruction_of(
    model: Any, source: Path, written: Path, samples: SamplesLike, threads: int, progress: Progress
) -> Reconstruction:
    """Of the QDQ file `written`, made from `model`, which was read from `source`; both files stay as they are.

    Learns from up to 128 samples, fewer where their activations would take more than 512 MB, from none when there are
    under 8. Dropped when what decides the outputs comes no closer to float's on those samples.
    """
    room = _ROOM // max(2 * activation_bytes(source, "onnx"), 1)
    count = min(samples.count, _MOST, room)
    if count < _FEWEST:
        return Reconstruction()
    indices = tuple(int(i) for i in np.linspace(0, samples.count - 1, count))
    with translated(f"cannot read {written.name} as ONNX"):
        import onnx

        plain, changed = onnx.load(str(written)), onnx.load(str(written))
    weights = reconstruct(model, changed, samples, indices, threads=threads, progress=progress)
    with tempfile.TemporaryDirectory(dir=written.parent) as folder:
        reference, *both = (
            _answers(graph, decisive_nodes(model), Path(folder) / "ending.onnx", samples, indices, threads)
            for graph in (model, plain, changed)
        )
    before, after = (_sqnr_db(reference, answers) for answers in both)
    return Reconstruction(weights, after - before) if after > before else Reconstruction()


def _answers(
    graph: Any,
    nodes: tuple[str, ...],
    path: Path,
    samples: SamplesLike,
    indices: tuple[int, ...],
    threads: int,
) -> list[tuple[Array, ...]]:
    """Per sample what each of `nodes` gives."""
    write(ending_at(graph, nodes), path)
    runner = load(path, "onnx", threads)
    with translated("the model does not run on a calibration sample"):
        return [runner(samples[i]) for i in indices]


def _sqnr_db(reference: list[tuple[Array, ...]], answers: list[tuple[Array, ...]]) -> float:
    """Mean over the outputs, each over all samples together."""
    found = []
    for r, a in zip(zip(*reference, strict=True), zip(*answers, strict=True), strict=True):
        flat = (np.concatenate([x.ravel() for x in part])[None] for part in (r, a))
        found.append(sqnr_db(*flat))
    return float(np.mean([_EXACT if db is None else db for db in found]))
