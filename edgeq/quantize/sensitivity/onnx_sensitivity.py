"""Measures what each quantized weight and activation costs at a model's outputs, one at a time.

A run of the switchboard with one switch on is the float model with that one tensor quantized. So a layer's cost is
measured where it counts, after all that follows has damped or amplified it, and a detector's head is found by figures.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.foreign import quiet, translated
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.ort_session import Session, ort_session
from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, powers
from edgeq.quantize.graph_work import onnx_macs
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import Array, SamplesLike
from edgeq.quantize.sensitivity.fake_quant_graph import SWITCHES, Switch, switchboard
from edgeq.quantize.sensitivity.noise import Noise

if TYPE_CHECKING:
    from onnx import ModelProto

_SAMPLES = 8
# Half a minute at most on one core of a desktop; by the clock, two runs of the same would name different layers.
_MOST_MACS = 80_000_000_000


def onnx_noise(
    model: "ModelProto", quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[Noise, ...]:
    """Worst first. `model` is the float graph, `quantized` the QDQ file made from it, whose scales are tried.

    Uses up to 8 samples; fewer of a model whose runs are work, at least one.
    """
    import onnx

    with translated("the layers of the quantized graph cannot be tried one by one"):
        board, switches = switchboard(model, read_onnx(quantized))
        session = _session(board, threads)
    names = [o.name for o in model.graph.output]
    tally = _Tally(switches, len(names))
    inputs = [i.name for i in session.get_inputs() if i.name != SWITCHES]
    with translated("the work of the float graph cannot be counted"):
        macs = onnx_macs(onnx.shape_inference.infer_shapes(model, data_prop=True))
    planned = sample_count(samples.count, len(switches), macs)
    for i in range(planned):
        feeds = dict(zip(inputs, samples[i], strict=True))
        with translated("the layers of the quantized graph cannot be tried one by one"):
            _try_all(session, names, feeds, tally, progress, i / planned, 1 / planned)
    return tally.ranked()


def sample_count(offered: int, switches: int, macs: int) -> int:
    """How many samples are worth it: each is run once per switch, with `macs` multiply-accumulates a run."""
    affordable = _MOST_MACS // max(1, (switches + 1) * macs)
    return max(1, min(offered, _SAMPLES, affordable))


class _Tally:
    """Sums of squares over the samples tried so far."""

    def __init__(self, switches: tuple[Switch, ...], outputs: int) -> None:
        self.switches = switches
        self.signal = np.zeros(outputs)
        self.noise = np.zeros((len(switches), outputs))
        self.clipped = np.zeros(len(switches))
        self.samples = 0

    def ranked(self) -> tuple[Noise, ...]:
        shares = self.noise / np.maximum(self.signal, NO_SIGNAL)
        causes = np.where(self.clipped > 0.5 * self.samples, "clipping", "rounding")
        found = (
            Noise(s.layer, s.leave, tuple(float(x) for x in row), str(cause))
            for s, row, cause in zip(self.switches, shares, causes, strict=True)
        )
        return tuple(sorted(found, key=lambda n: -n.worst))


def _try_all(
    session: Session,
    names: list[str],
    feeds: dict[str, Array],
    tally: _Tally,
    progress: Progress,
    done: float,
    step: float,
) -> None:
    """One sample: all switches off, then each alone."""
    switches = tally.switches
    off = np.zeros(len(switches), np.float32)
    clipped = [s.clipped for s in switches if s.clipped]
    reference = session.run([*names, *clipped], {**feeds, SWITCHES: off})
    floats = reference[: len(names)]
    tally.signal += [powers(f, f)[0] for f in floats]
    shares = iter(reference[len(names) :])
    tally.clipped += [np.nan_to_num(float(next(shares))) if s.clipped else 0.0 for s in switches]
    tally.samples += 1
    for k in range(len(switches)):
        on = off.copy()
        on[k] = 1.0
        found = session.run(names, {**feeds, SWITCHES: on})
        tally.noise[k] += [
            powers(b, a if a.shape == b.shape else np.zeros_like(b))[1]
            for a, b in zip(found, floats, strict=True)
        ]
        progress("rank layers by their error", done + step * (k + 1) / len(switches))


def _session(board: "ModelProto", threads: int) -> Session:
    """Optimized, Q and DQ would be fused into the integer kernels whose pieces are tried here."""
    with quiet():
        return ort_session(board, threads=threads, optimize=False)
