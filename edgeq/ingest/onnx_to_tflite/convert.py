"""ONNX -> TFLite: convert in a separate process, give the result the source's inputs and outputs, compare the two."""

import tempfile
from pathlib import Path

import numpy as np

from edgeq.errors import ConversionFailed
from edgeq.ingest.extras import needed
from edgeq.ingest.graph.trial import CannotRun, references
from edgeq.ingest.onnx_to_tflite import ends, flat, rewrite
from edgeq.ingest.onnx_to_tflite.call import REMEDY, call
from edgeq.ingest.onnx_to_tflite.environment import Say, built
from edgeq.ingest.onnx_to_tflite.kept_state import require_no_kept_state
from edgeq.ingest.onnx_to_tflite.proof import Arrays, outputs_of, require_same
from edgeq.ingest.onnx_to_tflite.tidy import tidy
from edgeq.nouns.tensor import TensorSpec


def convert(
    source: Path,
    out: Path,
    *,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    example: Arrays | None,
    cache: Path,
    say: Say,
) -> float:
    """Writes `out`, a float TFLite file with the ends of the clean graph `source`, and returns its lowest SQNR in dB
    against that on random input (on `example` where it fits). Builds onnx2tf's environment below `cache` if it is not there.

    Raises ConversionFailed naming the operator or output, ExtraMissing without a Python for onnx2tf or without
    ai-edge-litert.
    """
    needed("ai_edge_litert.interpreter", "litert", "checking a TFLite graph")
    trials = _trials(source, inputs, example)
    python = built(cache, say)
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        made = call(python, source, tuple(spec.name for spec in inputs), Path(folder))
        require_no_kept_state(made)
        graph = flat.read(made, source)
        taken, given = rewrite.inputs_of(graph), rewrite.outputs_of(graph)
        entries = ends.inputs_in(taken, inputs)
        feed, expected = trials[-1]
        got = outputs_of(made, ends.fed(entries, taken, feed))
        exits = ends.outputs_in(given, outputs, expected, got)
        tidy(graph)
        rewrite.give_ends(graph, entries, exits)
        made.write_bytes(flat.written(graph))
        figure = min(require_same(expected, outputs_of(made, feed), outputs) for feed, expected in trials)
        out.write_bytes(made.read_bytes())
    return figure


def _trials(
    source: Path, inputs: tuple[TensorSpec, ...], example: Arrays | None
) -> list[tuple[Arrays, Arrays]]:
    """Inputs and what the source makes of them."""
    try:
        found = references(str(source), inputs, example)
    except CannotRun as error:
        raise ConversionFailed(
            f"the model does not run on random input, so a TFLite conversion could not be checked: {error}",
            REMEDY,
        ) from None
    return [
        (tuple(feed[spec.name] for spec in inputs), tuple(np.asarray(array) for array in expected))
        for feed, expected in found
    ]
