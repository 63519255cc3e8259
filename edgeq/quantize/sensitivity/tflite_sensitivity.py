"""Where a quantized .tflite drifts from its float twin: tensor by tensor, on the same samples.

The quantizer keeps tensor names, so the two files are compared by name. What an operator adds is its output's noise
share beyond that of its noisiest input.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgeq.foreign import translated
from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.limited.native_call import native_call
from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, powers
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise

_SAMPLES = 8


def tflite_noise(
    source: Path, quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[Noise, ...]:
    """Worst first; `layer` and `leave` name the operator's first output tensor."""
    float_side, integer_side = (interpreter_of(p, threads, keep_all=True) for p in (source, quantized))
    shared = _shared(float_side, integer_side)
    signal, noise = dict.fromkeys(shared, 0.0), dict.fromkeys(shared, 0.0)
    clipped = dict.fromkeys(shared, 0.0)
    planned = min(samples.count, _SAMPLES)
    for i in range(planned):
        with translated("the quantized .tflite does not run on a held-out sample"):
            for side in (float_side, integer_side):
                feed(side, samples[i])
                native_call(side.invoke)
        for name, (a, b) in shared.items():
            real, (found, low, high) = float_side.get_tensor(a["index"]), _real(integer_side, b)
            if real.shape == found.shape:
                power, error = powers(real, found)
                signal[name] += power
                noise[name] += error
                clipped[name] += powers(real, np.clip(real, low, high))[1]
        progress("rank layers by their error", (i + 1) / planned)
    share = {n: noise[n] / max(signal[n], NO_SIGNAL) for n in shared}
    return _added(source, share, {n: clipped[n] > 0.5 * noise[n] for n in shared})


def _added(source: Path, share: dict[str, float], clips: dict[str, bool]) -> tuple[Noise, ...]:
    graph = read_tflite(source)
    found = []
    for op in graph.operators:
        named = [graph.tensors[i].name for i in op.outputs]
        before = max((share.get(graph.tensors[i].name, 0.0) for i in op.inputs), default=0.0)
        if named and named[0] in share:
            added = max(share[named[0]] - before, 0.0)
            cause = "clipping" if clips[named[0]] else "rounding"
            found.append(Noise(named[0], frozenset({named[0]}), (added,), cause))
    return tuple(sorted(found, key=lambda n: -n.worst))


def _shared(float_side: Any, integer_side: Any) -> dict[str, tuple[Any, Any]]:
    """Activations that both files hold, float on one side and integer on the other."""
    kinds = (np.int8, np.uint8, np.int16)
    integers = {d["name"]: d for d in integer_side.get_tensor_details() if d["dtype"] in kinds}
    written = {i for op in float_side._get_ops_details() for i in op["outputs"]}
    return {
        d["name"]: (d, integers[d["name"]])
        for d in float_side.get_tensor_details()
        if d["index"] in written and d["name"] in integers and d["dtype"] is np.float32
    }


def _real(side: Any, detail: Any) -> tuple[Any, float, float]:
    """The tensor's real values and the ends of its range."""
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    stored = side.get_tensor(detail["index"]).astype(np.float64)
    return (stored - zero) * scale, (limits.min - zero) * scale, (limits.max - zero) * scale
