"""Instruments the float graph with reductions of its tensors: minimum, maximum, and on request some of the values.

No activation leaves the runtime, which keeps its fused and blocked kernels and reuses its memory: MobileNetV2 runs 2.5
times faster than with every tensor as an output.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from itertools import chain
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ConversionFailed
from edgeq.foreign import as_conversion_failed
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.op_sets import ACTIVATIONS
from edgeq.graphs.ort_session import Session, ort_session
from edgeq.graphs.stages import ending_at
from edgeq.graphs.unfoldable_activations import unfoldable_activations
from edgeq.graphs.weightless import weightless
from edgeq.quantize.calibration.tensor_stats import SampleStats, stats_of_sample, stride

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

Array = npt.NDArray[Any]
Observed = tuple[dict[str, SampleStats], tuple[Array, ...]]  # statistics by tensor, and the kept tensors

_FAILED = "the float graph does not run on a calibration sample"
_REDUCED = {"low": "ReduceMin", "high": "ReduceMax", "energy": "ReduceSumSquare"}
_FLAT, _START, _END = "edgeq_flat", "edgeq_start", "edgeq_end"


class InstrumentedGraph:
    """`model` has inferred shapes. About `per_sample` values of each tensor are handed out; 0: none. `kept` are tensors that are
    handed out besides.

    Minimum and maximum of a tensor with NaN are anything; the sum of squares is not finite then. Such tensors, and all
    of a graph in which nothing can be reduced (no values, for one), are handed out whole from then on.
    """

    def __init__(
        self, model: "ModelProto", per_sample: int, threads: int, kept: tuple[str, ...] = ()
    ) -> None:
        self.tensors, self._kept = _tensors(model), kept
        self._sizes = _sizes(model, self.tensors)
        self._model, self._per_sample, self._threads = model, per_sample, threads
        self._whole: set[str] = set()
        self._session = self._opened()

    @property
    def inputs(self) -> list[str]:
        """Names, in the order of the samples' arrays."""
        return [i.name for i in self._session.get_inputs()]

    def run(self, feeds: dict[str, Array]) -> Observed:
        """The statistics of one sample, and the kept tensors. Raises ConversionFailed when the graph does not run on it."""
        while True:
            names = [o.name for o in self._session.get_outputs()]
            try:
                with as_conversion_failed(_FAILED):
                    found = dict(zip(names, self._session.run(names, feeds), strict=True)) | feeds
            except ConversionFailed:
                if len(self._whole) == len(self.tensors):
                    raise
                unclear = set(self.tensors)
            else:
                stats, unclear = self._stats_of(found, self._whole)
                if not unclear:
                    return stats, tuple(found[name] for name in self._kept)
            self._whole |= unclear
            self._session = self._opened()

    def run_each(self, samples: Iterable[dict[str, Array]]) -> Iterator[Observed]:
        """The same of each sample, in their order; as many run at the same time as jobs.using says."""
        left, given = iter(samples), deque[dict[str, Array]]()

        def feeds() -> Iterator[dict[str, Array]]:
            for each in left:
                given.append(each)
                yield each

        names, whole = [o.name for o in self._session.get_outputs()], frozenset(self._whole)
        with suppress(ConversionFailed), as_conversion_failed(_FAILED):
            for values in self._session.run_each(names, feeds()):
                found = dict(zip(names, values, strict=True)) | given[0]
                stats, unclear = self._stats_of(found, whole)
                yield self.run(given[0]) if unclear else (stats, tuple(found[n] for n in self._kept))
                given.popleft()
        yield from map(self.run, chain(tuple(given), left))  # from the first that failed on, one by one

    def _stats_of(
        self, found: Mapping[str, Array], whole: Set[str]
    ) -> tuple[dict[str, SampleStats], set[str]]:
        """By tensor, and the tensors that are unclear. `whole` are those that were handed out whole."""
        stats = {name: self._stats(k, found, whole) for k, name in enumerate(self.tensors)}
        clear = {name: each for name, each in stats.items() if each is not None}
        return clear, stats.keys() - clear.keys()

    def _stats(self, k: int, found: Mapping[str, Array], whole: Set[str]) -> SampleStats | None:
        if self.tensors[k] in whole:
            return stats_of_sample(np.asarray(found[self.tensors[k]], np.float32), self._per_sample or 1)
        low, high, energy = (float(found[f"edgeq_{word}_{k}"]) for word in _REDUCED)
        if not (isfinite(low) and isfinite(high) and isfinite(energy)):
            return None
        size = self._sizes[k]
        if size is None:
            size = int(found[f"edgeq_size_{k}"][0])
        return SampleStats(low, high, size, values=found.get(f"edgeq_values_{k}"))

    def _opened(self) -> Session:
        reduced = [(k, name) for k, name in enumerate(self.tensors) if name not in self._whole]
        # The last first: onnxruntime goes back from the last node, and so runs each reduction as soon as it can. The other way
        # round it runs them after all layers, whose tensors it then holds until then: 240 MB of a ViT of 25 M weights.
        reduced.reverse()
        whole = self._whole.union(self._kept)
        graph = _with_reductions(self._model, reduced, self._sizes, whole, self._per_sample)
        with as_conversion_failed("onnxruntime does not load the float graph for calibration"):
            return ort_session(graph, threads=self._threads, weights=self._model)


def folded_inputs(model: "ModelProto") -> dict[str, str]:
    """Tensors that only a Relu or Clip reads which folds into a range, with that one's output.

    onnxruntime's quantizer gives them its output's range and drops it: the rounding to integers clips by itself.
    """
    stays = unfoldable_activations(model)
    index = index_of(model.graph)
    cut = {
        node.input[0]: node.output[0]
        for node in index.nodes
        if node.op_type in ACTIVATIONS
        and node.name not in stays
        and index.producer(node.input[0]) is not None
        and len(index.consumers(node.input[0])) == 1
        and not index.is_captured(node.input[0])
    }
    for name in reversed(cut):  # of several in a row the last one's output is what is left
        cut[name] = cut.get(cut[name], cut[name])
    return cut


def _tensors(model: "ModelProto") -> tuple[str, ...]:
    """All float tensors but the inputs of folded activations; the graph's inputs first."""
    graph = model.graph
    initial, behind = {i.name for i in graph.initializer}, folded_inputs(model)
    typed = {v.name for v in (*graph.value_info, *graph.output) if _is_float(v)}
    inputs = [i.name for i in graph.input if _is_float(i) and i.name not in initial]
    made = [name for node in graph.node for name in node.output if name in typed and name not in behind]
    return (*inputs, *made)


def _is_float(value: "ValueInfoProto") -> bool:
    return bool(value.type.tensor_type.elem_type == 1)  # TensorProto.FLOAT


def _sizes(model: "ModelProto", tensors: tuple[str, ...]) -> list[int | None]:
    """Numbers of values; None where a dimension is open."""
    graph = model.graph
    shapes = {v.name: v.type.tensor_type.shape for v in (*graph.input, *graph.value_info, *graph.output)}
    return [
        prod(d.dim_value for d in shapes[name].dim)
        if all(d.HasField("dim_value") for d in shapes[name].dim)
        else None
        for name in tensors
    ]


def _with_reductions(
    model: "ModelProto",
    reduced: list[tuple[int, str]],
    sizes: list[int | None],
    whole: set[str],
    per_sample: int,
) -> "ModelProto":
    """A weightless copy whose outputs are edgeq_<low|high|energy|size|values>_<k> for (k, name) of `reduced`, and `whole` as they
    are; sizes only where they are open.
    """
    import onnx

    copy = ending_at(weightless(model), ())
    graph = copy.graph
    reductions = _Reductions(graph)
    for k, name in reduced:
        reductions.reduce(k, name)
        if sizes[k] is None:
            reductions.size(k, name)
        if per_sample:
            reductions.sample(k, sizes[k], per_sample)
    inputs = {i.name for i in graph.input}
    graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in sorted(whole - inputs)
    )
    if not graph.output:  # the graph's inputs alone are observed; a graph needs an output to run
        graph.output.extend(model.graph.output)
    copy.ir_version = max(copy.ir_version, 4)  # below 4 constants must be inputs
    return copy


class _Reductions:
    """Adds nodes to `graph`."""

    def __init__(self, graph: "GraphProto") -> None:
        self._graph = graph
        for name, value in ((_FLAT, -1), (_START, 0), (_END, np.iinfo(np.int64).max)):
            self._constant(name, value)

    def reduce(self, k: int, name: str) -> None:
        self._node("Reshape", [name, _FLAT], f"edgeq_flat_{k}")
        for word, operator in _REDUCED.items():
            self._node(operator, [f"edgeq_flat_{k}"], f"edgeq_{word}_{k}", keepdims=0)
            self._output(f"edgeq_{word}_{k}", np.float32, [])

    def size(self, k: int, name: str) -> None:
        self._node("Size", [name], f"edgeq_count_{k}")
        self._node("Reshape", [f"edgeq_count_{k}", _FLAT], f"edgeq_size_{k}")
        self._output(f"edgeq_size_{k}", np.int64, [1])

    def sample(self, k: int, size: int | None, per_sample: int) -> None:
        """Every `stride(size, per_sample)`-th value: as 2 * (size // (2 * per_sample)) + 1 where the size is open."""
        step = f"edgeq_step_{k}"
        if size is not None:
            self._constant(step, stride(size, per_sample))
        else:
            for word, value in (("twice", 2 * per_sample), ("two", 2), ("one", 1)):
                self._constant(f"edgeq_{word}_{k}", value)
            self._node("Div", [f"edgeq_size_{k}", f"edgeq_twice_{k}"], f"edgeq_pairs_{k}")
            self._node("Mul", [f"edgeq_pairs_{k}", f"edgeq_two_{k}"], f"edgeq_even_{k}")
            self._node("Add", [f"edgeq_even_{k}", f"edgeq_one_{k}"], step)
        self._node("Slice", [f"edgeq_flat_{k}", _START, _END, _START, step], f"edgeq_values_{k}")
        self._output(f"edgeq_values_{k}", np.float32, [None])

    def _constant(self, name: str, value: int) -> None:
        import onnx

        self._graph.initializer.append(onnx.numpy_helper.from_array(np.array([value], np.int64), name))

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: int) -> None:
        import onnx

        self._graph.node.append(onnx.helper.make_node(operator, inputs, [output], **attributes))

    def _output(self, name: str, dtype: Any, shape: list[int | None]) -> None:
        import onnx

        element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._graph.output.append(onnx.helper.make_tensor_value_info(name, element, shape))
