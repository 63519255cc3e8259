"""Which passes each method runs, in their order, and which backend writes the file. `python -m edgeq.quantize.pipelines` prints it.

A pass is added in three files: a module in `passes/` (quantization.py says what one is); its row here; and its word in
--passes with a description in edgeq/nouns/passes.py, which also orders the results that are listed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgeq.errors import ConversionFailed
from edgeq.graphs.float_graph import read
from edgeq.quantize.backends.litert.emit import LitertDynamic, LitertStatic
from edgeq.quantize.backends.litert.trained import LitertTrained
from edgeq.quantize.backends.ort.dynamic import OrtDynamic
from edgeq.quantize.backends.ort.fp16 import OrtHalf
from edgeq.quantize.backends.ort.nbits import OrtBlockwise
from edgeq.quantize.backends.ort.qdq import OrtStatic
from edgeq.quantize.backends.ort.trained import OrtTrained
from edgeq.quantize.backends.passthrough import Passthrough
from edgeq.quantize.backends.refused_layers import runs
from edgeq.quantize.passes import (
    blockwise,
    embeddings,
    equalize,
    fit,
    fuse,
    head,
    int16_saturation,
    joins,
    mixed_precision,
    ranges,
    recurrent,
    small_convs,
    smooth,
    trained_ranges,
)
from edgeq.quantize.passes.blockwise import gptq
from edgeq.quantize.quantization import Backend, Context, Pass, Quantization, module_name, run_passes
from edgeq.quantize.stopwatch import OPEN


@dataclass(frozen=True)
class Pipeline:
    """`backend` is called with the names of the passes that may run."""

    passes: tuple[Pass, ...]
    backend: Callable[[frozenset[str]], Backend]


PIPELINES: dict[tuple[str, str], Pipeline] = {
    ("static", "onnx"): Pipeline(
        (equalize, fuse, small_convs, joins, ranges, fit, head, int16_saturation),
        lambda enabled: OrtStatic(move_ops_in_int8=fuse.NAME in enabled),
    ),
    ("static", "tflite"): Pipeline((joins, ranges, fit, head), lambda enabled: LitertStatic()),
    ("dynamic", "onnx"): Pipeline((recurrent, embeddings, smooth), lambda enabled: OrtDynamic()),
    ("dynamic", "tflite"): Pipeline((), lambda enabled: LitertDynamic()),
    ("blockwise", "onnx"): Pipeline((recurrent, embeddings, blockwise, gptq), lambda enabled: OrtBlockwise()),
    ("trained", "onnx"): Pipeline((), lambda enabled: OrtTrained()),
    ("trained", "tflite"): Pipeline((trained_ranges,), lambda enabled: LitertTrained()),
    ("cast", "onnx"): Pipeline((), lambda enabled: OrtHalf()),
    ("none", "onnx"): Pipeline((), lambda enabled: Passthrough()),
    ("none", "tflite"): Pipeline((), lambda enabled: Passthrough()),
}
LAST: Pass = mixed_precision
"""Of every pipeline: it asks the gate."""

_MAY_REFUSE = ("static", "dynamic")


def run(q: Quantization, context: Context) -> Quantization:
    """The state after all passes, the file written and judged. Layers that the quantizer or the runtime refuses stay in float.

    Raises ConversionFailed.
    """
    q = passed(q, context)
    q = run_passes((LAST,), q, context)
    return q if q.fidelity is not None else mixed_precision.judged(q, context)


def passes_of(q: Quantization) -> tuple[Pass, ...]:
    """Those of its pipeline; block-wise weights of 8 bits are only rounded to nearest."""
    passes = PIPELINES[q.method, q.format].passes
    return tuple(each for each in passes if each is not gptq or q.weight_bits < 8)


def passed(q: Quantization, context: Context) -> Quantization:
    """The state after all passes but the last, which asks the gate. Raises ConversionFailed.

    `q` may have no graph yet: what is held here stays in memory beside what the passes make of it."""
    passes = passes_of(q)
    if q.method not in _MAY_REFUSE:
        return run_passes(passes, _begun(q, context), context)
    try:
        done = run_passes(passes, _begun(q, context), context)
        context.progress(LAST.STAGE, 0.0)
        context.write(done, fitted=False)
        runs(context.path, q.format, context.samples[0] if context.samples is not None else None)
        return done
    except ConversionFailed:
        refused = context.backend.refused(read_graph(q), context)
        if not refused:
            raise
    return run_passes(passes, _begun(q, context).keep_in_float(refused), context)


def read_graph(q: Quantization) -> Quantization:
    """With the graph of its source, where it has none yet and the passes need one. Raises ConversionFailed."""
    if q.model is not None or q.format != "onnx" or q.method == "none":
        return q
    return replace(q, model=read(q.source))


def _begun(q: Quantization, context: Context) -> Quantization:
    """The state before the first pass."""
    with context.stopwatch.step(OPEN):
        q = read_graph(q)
    return q.keep_in_float(context.backend.unsupported(q))


def table() -> str:
    """One line for each method and format: the modules of `passes/`; in brackets the word of --passes where it is another one,
    or that the pass always runs.
    """
    rows = {key: [*(_name(each) for each in row.passes), _name(LAST)] for key, row in PIPELINES.items()}
    return "\n".join(
        f"{method:10} {format:7} {' > '.join(names)}" for (method, format), names in rows.items()
    )


def _name(each: Pass) -> str:
    module = module_name(each)
    return module if module == each.NAME else f"{module} ({each.NAME or 'always'})"


if __name__ == "__main__":
    print(table())
