"""What each layer's quantization costs: by this, mixed precision ranks the layers to leave in float.

ONNX: at the model's outputs, with one tensor quantized at a time, so after all that follows has damped or amplified the error.
TFLite: at the layer's own output, next to the float tensor of the same name; the noise beyond that of its noisiest input.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.macs import onnx_macs
from edgeq.graphs.onnx_edit import set_nodes
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.ort_session import Session, ort_session
from edgeq.graphs.stages import untyped
from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.limited.native_call import native_call
from edgeq.nouns.fidelity import LayerError, is_finite_db, words_of_db
from edgeq.quantize.evaluate.fake_quant_graph import SWITCHES, FakeQuantizer, fake_quant_graph
from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, powers
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import Array, SamplesLike

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter
    from onnx import GraphProto, ModelProto

_SAMPLES = 8
# Half a minute at most on one core of a desktop; by the clock, two runs of the same would name different layers.
_MOST_MACS = 80_000_000_000
_GROUP_SAMPLES, _GROUP_RUNS = 2, 64  # about so many runs find those that make much of the noise
STAGE = "rank layers by their error"
Doubles = npt.NDArray[np.float64]
_INTEGERS = (np.int8, np.uint8, np.int16)
_NOTHING_DB = 190.0  # nothing is lost, as far as float32 tells


@dataclass(frozen=True)
class Noise:
    """`noise_to_signal` (power), at each of the model's outputs, with only this tensor or weight quantized; with
    `at_own_output` the one that the layer adds at its own output.

    `in_float` names what has to stay in float for the noise to vanish; `cause` is rounding or clipping.
    """

    layer: str
    in_float: frozenset[str]
    noise_to_signal: tuple[float, ...]
    cause: str
    at_own_output: bool = False

    @property
    def worst(self) -> float:
        return max(self.noise_to_signal, default=0.0)

    @property
    def sqnr_db(self) -> float:
        """At the output that suffers most."""
        return -10.0 * float(np.log10(max(self.worst, 1e-20)))

    @property
    def in_words(self) -> str:
        """The SQNR says nothing of values that are small next to others, which may be all that is lost."""
        if self.sqnr_db >= _NOTHING_DB:
            return f"{self.cause} at {self.layer}: no measurable loss alone"
        figure = words_of_db(self.sqnr_db, figure="")
        where = "its own output" if self.at_own_output else "the output"
        if not is_finite_db(self.sqnr_db):
            return f"{self.cause} at {self.layer} alone makes {where} {figure}"
        return f"{self.cause} at {self.layer} alone leaves {figure} at {where}"

    def as_error(self) -> LayerError:
        return LayerError(self.layer, round(self.sqnr_db, 2), self.cause)


def onnx_noise(
    model: "ModelProto",
    quantized: Path,
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
    least_share: float = 0.0,
) -> tuple[Noise, ...]:
    """Worst first. `model` is the float graph, `quantized` the QDQ file made from it, whose scales are tried. Neighbours that make
    less than `least_share` of the noise of all are given as one, which takes far fewer runs: halves are tried, and halves of
    those that make more.

    Uses up to 8 samples, 2 where neighbours are given as one; fewer of a model whose runs are work, at least one.
    """
    import onnx

    failed = "the layers of the quantized graph cannot be tried one by one"
    with as_conversion_failed(failed):
        graph, quantizers = fake_quant_graph(model, read_onnx(quantized))
        # Optimized, Q and DQ would be fused into the integer kernels whose parts are tried here.
        outputs = [o.name for o in model.graph.output]
        with quiet():
            session = ort_session(graph, threads=threads, optimize=False)
            _end_at(graph.graph, outputs)
            quick = ort_session(graph, threads=threads, optimize=False)
    with as_conversion_failed("the work of the float graph cannot be counted"):
        macs = onnx_macs(onnx.shape_inference.infer_shapes(model, data_prop=True))
    inputs = [i.name for i in session.get_inputs() if i.name != SWITCHES]
    offered, runs = samples.count, len(quantizers)
    if least_share:
        offered, runs = min(offered, _GROUP_SAMPLES), min(runs, _GROUP_RUNS)
    planned = sample_count(offered, runs, macs)
    feeds = [dict(zip(inputs, samples[i], strict=True)) for i in range(planned)]
    with as_conversion_failed(failed):
        trial = _Trial(session, quick, outputs, quantizers, feeds)
        groups = trial.heavy_alone(least_share) if least_share else trial.each_alone(progress)
        return _worst_first(trial.noise_of(group) for group in groups)


def sample_count(offered: int, runs: int, macs: int) -> int:
    """How many samples are worth it: each is run so often and once more, with `macs` multiply-accumulates a run."""
    affordable = _MOST_MACS // max(1, (runs + 1) * macs)
    return max(1, min(offered, _SAMPLES, affordable))


def _end_at(graph: "GraphProto", outputs: list[str]) -> None:
    """Drops the nodes that no output needs, which onnxruntime would run."""
    set_nodes(graph, index_of(graph).ancestors(outputs))
    del graph.output[:]
    graph.output.extend(untyped(name) for name in outputs)


class _Trial:
    """Runs of the graph with fake quantizers over all samples, first with all of them off. Only then is asked how much is
    clipped, for which `session` takes half as long again as `quick`, which ends at the outputs.
    """

    def __init__(
        self,
        session: Session,
        quick: Session,
        outputs: list[str],
        quantizers: tuple[FakeQuantizer, ...],
        feeds: list[dict[str, Array]],
    ) -> None:
        self._quick, self._outputs, self._quantizers, self._feeds = quick, outputs, quantizers, feeds
        self._found: dict[range, Doubles] = {}
        clipped = [q.clipped for q in quantizers if q.clipped]
        off = np.zeros(len(quantizers), np.float32)
        found = list(session.run_each([*outputs, *clipped], ({**feed, SWITCHES: off} for feed in feeds)))
        self._floats = [each[: len(outputs)] for each in found]
        signal = sum(np.array([powers(f, f)[0] for f in floats]) for floats in self._floats)
        self._signal = np.maximum(signal, NO_SIGNAL)
        sums = iter(np.nan_to_num(np.array([each[len(outputs) :] for each in found], float)).sum(axis=0))
        self._clips = [bool(q.clipped) and float(next(sums)) > 0.5 * len(feeds) for q in quantizers]

    def each_alone(self, progress: Progress) -> list[range]:
        groups = [range(k, k + 1) for k in range(len(self._quantizers))]
        for k, group in enumerate(groups):
            self._noise(group)
            progress(STAGE, (k + 1) / len(groups))
        return groups

    def heavy_alone(self, least_share: float) -> list[range]:
        """Neighbours together, but for those that make more than that share of the noise of all at some output. How many runs that takes
        shows only when they are over.
        """
        everything = range(len(self._quantizers))
        least = least_share * self._noise(everything)
        left, groups = [everything], list[range]()
        while left:
            group = left.pop()
            if len(group) > 1 and bool(np.any(self._noise(group) > least)):
                middle = len(group) // 2
                left += [group[middle:], group[:middle]]
            else:
                groups.append(group)
        return groups

    def noise_of(self, group: range) -> Noise:
        """`layer` is the first tensor of the group."""
        quantizers = [self._quantizers[k] for k in group]
        in_float = frozenset[str]().union(*(q.in_float for q in quantizers))
        noise = tuple(float(x) for x in self._noise(group))
        return Noise(quantizers[0].layer, in_float, noise, _cause(all(self._clips[k] for k in group)))

    def _noise(self, group: range) -> Doubles:
        """Noise-to-signal at each output, with these alone on."""
        if group not in self._found:
            on = np.zeros(len(self._quantizers), np.float32)
            on[group.start : group.stop] = 1.0
            noise = np.zeros(len(self._outputs))
            each = self._quick.run_each(self._outputs, ({**feed, SWITCHES: on} for feed in self._feeds))
            for found, floats in zip(each, self._floats, strict=True):
                noise += [
                    powers(b, a if a.shape == b.shape else np.zeros_like(b))[1]
                    for a, b in zip(found, floats, strict=True)
                ]
            self._found[group] = noise / self._signal
        return self._found[group]


def tflite_noise(
    source: Path, quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[Noise, ...]:
    """Worst first; `layer` and `in_float` name the operator's first output tensor."""
    float_model, integer = (interpreter_of(p, threads, keep_all=True) for p in (source, quantized))
    shared = _shared(float_model, integer)
    signal, noise, clipped = (dict.fromkeys(shared, 0.0) for _ in range(3))
    planned = min(samples.count, _SAMPLES)
    for i in range(planned):
        with as_conversion_failed("the quantized .tflite does not run on a held-out sample"):
            for interpreter in (float_model, integer):
                feed(interpreter, samples[i])
                native_call(interpreter.invoke)
        for name, (a, b) in shared.items():
            floats, (found, low, high) = float_model.get_tensor(a["index"]), _dequantized(integer, b)
            if floats.shape == found.shape:
                power, error = powers(floats, found)
                signal[name] += power
                noise[name] += error
                clipped[name] += powers(floats, np.clip(floats, low, high))[1]
        progress(STAGE, (i + 1) / planned)
    noise_to_signal = {n: noise[n] / max(signal[n], NO_SIGNAL) for n in shared}
    return _added(source, noise_to_signal, {n: clipped[n] > 0.5 * noise[n] for n in shared})


def _added(source: Path, noise_to_signal: dict[str, float], clips: dict[str, bool]) -> tuple[Noise, ...]:
    """The noise that each operator adds to that of its noisiest input."""
    graph = read_tflite(source)
    found = []
    for op in graph.operators:
        output = graph.tensors[op.outputs[0]].name if op.outputs else ""
        if output in noise_to_signal:
            inputs = (graph.tensors[i].name for i in op.inputs)
            input_noise = max((noise_to_signal.get(name, 0.0) for name in inputs), default=0.0)
            added = (max(noise_to_signal[output] - input_noise, 0.0),)
            found.append(Noise(output, frozenset({output}), added, _cause(clips[output]), at_own_output=True))
    return _worst_first(found)


def _shared(
    float_model: "Interpreter", integer: "Interpreter"
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Activations that both files hold, float in one and integers in the other."""
    integers = {d["name"]: d for d in integer.get_tensor_details() if d["dtype"] in _INTEGERS}
    written = {i for op in float_model._get_ops_details() for i in op["outputs"]}
    return {
        d["name"]: (d, integers[d["name"]])
        for d in float_model.get_tensor_details()
        if d["index"] in written and d["name"] in integers and d["dtype"] is np.float32
    }


def _dequantized(
    integer: "Interpreter", detail: dict[str, Any]
) -> tuple[npt.NDArray[np.float64], float, float]:
    """Its dequantized values and the ends of its range."""
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    stored = integer.get_tensor(detail["index"]).astype(np.float64)
    return (stored - zero) * scale, (limits.min - zero) * scale, (limits.max - zero) * scale


def _cause(clips: bool) -> str:
    return "clipping" if clips else "rounding"


def _worst_first(found: Iterable[Noise]) -> tuple[Noise, ...]:
    return tuple(sorted(found, key=lambda n: -n.worst))
