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
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.ort_session import Session, ort_session
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
    from onnx import ModelProto

_SAMPLES = 8
# Half a minute at most on one core of a desktop; by the clock, two runs of the same would name different layers.
_MOST_MACS = 80_000_000_000
_STAGE = "rank layers by their error"
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
    model: "ModelProto", quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[Noise, ...]:
    """Worst first. `model` is the float graph, `quantized` the QDQ file made from it, whose scales are tried.

    Uses up to 8 samples; fewer of a model whose runs are work, at least one.
    """
    import onnx

    failed = "the layers of the quantized graph cannot be tried one by one"
    with as_conversion_failed(failed):
        graph, quantizers = fake_quant_graph(model, read_onnx(quantized))
        # Optimized, Q and DQ would be fused into the integer kernels whose parts are tried here.
        with quiet():
            session = ort_session(graph, threads=threads, optimize=False)
    with as_conversion_failed("the work of the float graph cannot be counted"):
        macs = onnx_macs(onnx.shape_inference.infer_shapes(model, data_prop=True))
    inputs = [i.name for i in session.get_inputs() if i.name != SWITCHES]
    trial = _Trial(session, [o.name for o in model.graph.output], quantizers)
    planned = sample_count(samples.count, len(quantizers), macs)
    for i in range(planned):
        with as_conversion_failed(failed):
            trial.add(dict(zip(inputs, samples[i], strict=True)), progress, i / planned, 1 / planned)
    return trial.noise()


def sample_count(offered: int, quantizers: int, macs: int) -> int:
    """How many samples are worth it: each is run once per quantizer, with `macs` multiply-accumulates a run."""
    affordable = _MOST_MACS // max(1, (quantizers + 1) * macs)
    return max(1, min(offered, _SAMPLES, affordable))


class _Trial:
    """Runs of the graph with fake quantizers, and the sums of squares at its outputs over the samples so far."""

    def __init__(self, session: Session, outputs: list[str], quantizers: tuple[FakeQuantizer, ...]) -> None:
        self._session, self._outputs, self._quantizers = session, outputs, quantizers
        self._signal = np.zeros(len(outputs))
        self._noise = np.zeros((len(quantizers), len(outputs)))
        self._clipped = np.zeros(len(quantizers))
        self._samples = 0

    def add(self, inputs: dict[str, Array], progress: Progress, done: float, step: float) -> None:
        """One sample: all quantizers off, then each alone."""
        outputs, count = self._outputs, len(self._quantizers)
        clipped = [q.clipped for q in self._quantizers if q.clipped]
        off = {**inputs, SWITCHES: np.zeros(count, np.float32)}
        found = self._session.run([*outputs, *clipped], off)
        floats, clips = found[: len(outputs)], iter(found[len(outputs) :])
        self._signal += [powers(f, f)[0] for f in floats]
        self._clipped += [np.nan_to_num(float(next(clips))) if q.clipped else 0.0 for q in self._quantizers]
        self._samples += 1
        for k, on in enumerate(np.eye(count, dtype=np.float32)):
            found = self._session.run(outputs, {**inputs, SWITCHES: on})
            self._noise[k] += [
                powers(b, a if a.shape == b.shape else np.zeros_like(b))[1]
                for a, b in zip(found, floats, strict=True)
            ]
            progress(_STAGE, done + step * (k + 1) / count)

    def noise(self) -> tuple[Noise, ...]:
        noise_to_signal = self._noise / np.maximum(self._signal, NO_SIGNAL)
        clips = self._clipped > 0.5 * self._samples
        return _worst_first(
            Noise(q.layer, q.in_float, tuple(float(x) for x in row), _cause(clip))
            for q, row, clip in zip(self._quantizers, noise_to_signal, clips, strict=True)
        )


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
        progress(_STAGE, (i + 1) / planned)
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
