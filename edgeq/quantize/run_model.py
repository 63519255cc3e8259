"""Runs a model file on this host: the reference for every comparison.

Knows onnxruntime and LiteRT as runtimes; nothing of quantization.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import ending_at
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.graphs.weightless import weightless
from edgeq.limited.native_call import native_call
from edgeq.nouns.tensor import Affine, TensorSpec
from edgeq.quantize.closed_loop import SequencePart, outputs_of
from edgeq.quantize.numerics import dequantize_linear
from edgeq.quantize.samples import Array, SamplesLike

if TYPE_CHECKING:
    from onnx import ModelProto

Progress = Callable[[str, float], None]

_IN_MEMORY = 256 * 2**20  # bytes of one output over all samples; more goes to a file in the scratch folder


def no_progress(stage: str, done: float) -> None:
    """For callers that show nothing."""


class Runner:
    """A loaded model: call it with one array per input, get one float array per float output.

    `inputs` and `outputs` are the file's own names, in its order, `input_types` numpy's names of the types where the
    runtime tells them. Integer outputs that carry a scale are dequantized, and float inputs are quantized where the file wants
    integers: `quantized_inputs` and `quantized_outputs` are the file's own, for LiteRT.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        step: Callable[[tuple[Array, ...]], tuple[Array, ...]],
        input_types: tuple[str, ...] = (),
        quantized_inputs: tuple[TensorSpec, ...] = (),
        quantized_outputs: tuple[TensorSpec, ...] = (),
        each: Callable[[Iterable[tuple[Array, ...]]], Iterator[tuple[Array, ...]]] | None = None,
    ) -> None:
        self.inputs, self.outputs, self._step, self._each = inputs, outputs, step, each
        self.input_types = input_types
        self.quantized_inputs, self.quantized_outputs = quantized_inputs, quantized_outputs

    def __call__(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        return self._step(arrays)

    def each(self, samples: Iterable[tuple[Array, ...]]) -> Iterator[tuple[Array, ...]]:
        """The outputs for each of the samples, in their order; at the same time where the runtime can (limited/jobs.py)."""
        return map(self._step, samples) if self._each is None else self._each(samples)


def load(
    path: Path,
    format: str,
    threads: int = 1,
    *,
    native_kernels: bool = False,
    unoptimized: bool = False,
) -> Runner:
    """Integer sums are exact, as on ARM and with VNNI; `native_kernels` keeps this CPU's, saturating or not. `unoptimized`:
    an ONNX graph runs operator by operator as it is written, without the runtime's optimisations.

    Raises ConversionFailed when the runtime refuses the file, ExtraMissing when LiteRT is not installed.
    """
    return _onnx(path, threads, native_kernels, unoptimized) if format == "onnx" else _tflite(path, threads)


def run(
    runner: Runner,
    samples: SamplesLike,
    scratch: Path,
    *,
    progress: Progress = no_progress,
    stage: str = "run",
) -> tuple[Array, ...]:
    """The outputs over all samples, one array [samples, ...] per output, the output's own batch of one dropped. Samples
    that are steps of a sequence (closed_loop.py) are run with the model's own state.

    Large outputs are kept in files below `scratch`; outputs whose shape varies become object arrays.
    """
    found: list[Array] = []
    if isinstance(samples, SequencePart):
        steps = outputs_of(samples.sequence, runner)
    else:
        steps = runner.each(samples[i] for i in range(samples.count))
    for i in range(samples.count):
        with as_conversion_failed("the model does not run on this host's runtime"):
            outputs = tuple(without_batch(o) for o in next(steps))
        if i == 0:
            found = [_room(o, samples.count, scratch, k) for k, o in enumerate(outputs)]
        for k, output in enumerate(outputs):
            if found[k].dtype != object and output.shape != found[k].shape[1:]:
                found[k] = _as_objects(found[k], i)
            found[k][i] = output
        progress(stage, (i + 1) / samples.count)
    return tuple(found)


def values_of(
    model: "ModelProto",
    tensors: Sequence[str],
    samples: SamplesLike,
    threads: int,
) -> Iterator[tuple[Array, ...]]:
    """The values of `tensors` of `model`, sample by sample. Raises ConversionFailed."""
    with (
        quiet(),
        as_conversion_failed("onnxruntime does not load the graph with its inner tensors as outputs"),
    ):
        session = ort_session(ending_at(weightless(model), tensors), threads=threads, weights=model)
    inputs = [i.name for i in session.get_inputs()]
    feeds = (dict(zip(inputs, samples[i], strict=True)) for i in range(samples.count))
    found = session.run_each(list(tensors), feeds)
    for _ in range(samples.count):
        with as_conversion_failed("the graph does not run on a calibration sample"):
            yield tuple(next(found))


def without_batch(output: Array) -> Array:
    return output[0] if output.ndim > 1 and output.shape[0] == 1 else output


def _room(first: Array, count: int, scratch: Path, k: int) -> Array:
    shape = (count, *first.shape)
    if first.nbytes * count <= _IN_MEMORY:
        return np.zeros(shape, first.dtype)
    scratch.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(scratch / f"output{k}.npy", "w+", first.dtype, shape)


def _as_objects(stacked: Array, filled: int) -> Array:
    loose: Any = np.empty(len(stacked), dtype=object)
    for i in range(filled):
        loose[i] = np.array(stacked[i])
    return loose  # type: ignore[no-any-return]


def _onnx(path: Path, threads: int, native_kernels: bool, unoptimized: bool) -> Runner:
    with as_conversion_failed(f"onnxruntime does not load {path.name}"):
        session = ort_session(path, threads=threads, optimize=not unoptimized, native_kernels=native_kernels)
    inputs = tuple(i.name for i in session.get_inputs())
    outputs = tuple(o.name for o in session.get_outputs())

    def step(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(
            np.asarray(o) for o in session.run(list(outputs), dict(zip(inputs, arrays, strict=True)))
        )

    def each(samples: Iterable[tuple[Array, ...]]) -> Iterator[tuple[Array, ...]]:
        feeds = (dict(zip(inputs, arrays, strict=True)) for arrays in samples)
        return (tuple(np.asarray(o) for o in found) for found in session.run_each(list(outputs), feeds))

    return Runner(inputs, outputs, step, each=each)


def _tflite(path: Path, threads: int) -> Runner:
    interpreter = interpreter_of(path, threads)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def step(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        feed(interpreter, arrays)
        native_call(interpreter.invoke)
        return tuple(_dequantized(interpreter.get_tensor(o["index"]), o) for o in outputs)

    return Runner(
        tuple(i["name"] for i in inputs),
        tuple(o["name"] for o in outputs),
        step,
        tuple(np.dtype(i["dtype"]).name for i in inputs),
        tuple(_spec(i) for i in inputs),
        tuple(_spec(o) for o in outputs),
    )


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scale, zero = detail["quantization"]
    shape = tuple(None if d < 0 else int(d) for d in detail["shape_signature"])
    affine = Affine(float(scale), int(zero)) if scale else None
    return TensorSpec(detail["name"], np.dtype(detail["dtype"]).name, shape, affine)


def _dequantized(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    if not scale or not np.issubdtype(array.dtype, np.integer):
        return np.array(array)
    return dequantize_linear(array, scale, zero)
