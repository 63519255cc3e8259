"""What decides a model's outputs (pre_softmax_tensors.py), computed over some samples and held against float's."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.foreign import translated
from edgeq.graphs.onnx_io import write_onnx
from edgeq.graphs.tflite import read_model
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.evaluate.pre_softmax_tensors import decisive_of, ending_at
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.evaluate.tflite_pre_softmax import decisive_tensors
from edgeq.quantize.run_model import load
from edgeq.quantize.samples import Array, SamplesLike

Answers = list[tuple[Array, ...]]  # per sample, one array per output

_MOST = 128  # samples: enough to tell ways apart by tenths of a decibel
_EXACT = 200.0  # dB; stands for no error at all


def evenly(count: int, most: int = _MOST) -> tuple[int, ...]:
    """Up to `most` of `count` positions, from the first to the last."""
    return tuple(int(i) for i in np.linspace(0, count - 1, min(count, most)))


def onnx_answers(
    float_model: Any, graph: Any, samples: SamplesLike, indices: tuple[int, ...], threads: int
) -> Answers:
    """Of `graph`: the ModelProto `float_model` itself, or a QDQ one made from it."""
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        path = Path(folder) / "answers.onnx"
        write_onnx(ending_at(graph, decisive_of(float_model)), path)
        runner = load(path, "onnx", threads)
    with translated("the model does not run on a calibration sample"):
        return [runner(samples[i]) for i in indices]


def tflite_answers(path: Path, samples: SamplesLike, indices: tuple[int, ...], threads: int) -> Answers:
    model = read_model(path)
    run = TfliteRun(model, samples, indices, threads)
    return list(zip(*(run.to(t) for t in decisive_tensors(model)), strict=True))


def closeness_db(reference: Answers, answers: Answers) -> float:
    """SQNR of all samples together; the mean over the outputs."""
    found = []
    for r, a in zip(zip(*reference, strict=True), zip(*answers, strict=True), strict=True):
        found.append(sqnr_db(*(np.concatenate([x.ravel() for x in part])[None] for part in (r, a))))
    return float(np.mean([_EXACT if db is None else db for db in found]))
