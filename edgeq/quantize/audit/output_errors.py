"""What each layer's output loses in a file whose layers are no plain products of fixed integers: by running both graphs.

With y what the layer gives in float, z what it gives in the file, and of float's own inputs: q what it gives in the file,
v what it gives with the file's weights and no other rounding,

    z - y  =  (v - y)  +  (z - v)          q - y
              weights     rounding         own
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import quiet, translated
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.ort_session import Session, ort_session
from edgeq.graphs.stages import part_of, untyped
from edgeq.quantize.audit.exact_activations import ExactActivations
from edgeq.quantize.audit.if_branches import BRANCHES, taken_branches, with_branches
from edgeq.quantize.audit.layer_error import LayerError, Sums
from edgeq.quantize.audit.layer_matching import Counterpart, Twins
from edgeq.quantize.audit.weighted_layers import Path as GraphPath
from edgeq.quantize.audit.weighted_layers import WeightedLayer
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.tensor_values import values_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Array = npt.NDArray[Any]

NOT_TAKEN = "the samples take another branch"
NOT_ALIKE = "the samples differ in whether they take its branch, or its names are those of others"
NOT_FINITE = "its values are infinite or NaN"
NOT_SHOWN = "it is inside a Loop or Scan, so its values cannot be read"


@dataclass(frozen=True, eq=False)
class _Measured:
    """`output` is what the file calls it. `own` and `exact` run what stands for the layer on the tensors `fed`, of these types; `exact` is None where only weights are rounded."""

    layer: WeightedLayer
    output: str
    fed: Mapping[str, np.dtype[Any]]
    own: Session
    exact: Session | None


@dataclass(frozen=True)
class OutputErrors:
    """`found` by the layer's name; `why_not` says of the others why there is nothing."""

    found: Mapping[str, LayerError]
    why_not: Mapping[str, str]


def onnx_output_errors(
    model: "ModelProto",
    path: Path,
    layers: Sequence[WeightedLayer],
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
) -> OutputErrors:
    """Of `layers` of the float graph `model` in the file at `path` that was made from it. Raises ConversionFailed."""
    file = read_onnx(path)
    taken = taken_branches(model, samples, threads) if any(layer.path for layer in layers) else {}
    why_not = {layer.name: why for layer in layers if (why := _hidden(layer.path, taken))}
    real, quantized = with_branches(model, taken), with_branches(file, taken)
    twins = Twins(real.graph, quantized.graph)
    seen = [(layer, twins.counterpart(layer)) for layer in layers if layer.name not in why_not]
    pairs = [(layer, part) for layer, part in seen if part is not None]
    pieces = _Pieces(quantized, _types(quantized, pairs, samples, threads), threads)
    measured = [pieces.measured(layer, part) for layer, part in pairs]
    sums = {m.layer.name: Sums(1 if "Conv" in m.layer.kind else -1) for m in measured}
    for k, (floats, values) in enumerate(_runs(real, quantized, measured, samples, threads)):
        progress("explain", k / samples.count)
        for m in measured:
            _add(sums[m.layer.name], m, floats, values[m.output])
    errors = {name: s.error() for name, s in sums.items()}
    why_not |= {name: NOT_FINITE for name, error in errors.items() if error is None}
    return OutputErrors({name: error for name, error in errors.items() if error is not None}, why_not)


def _hidden(path: GraphPath, taken: Mapping[str, str]) -> str:
    """Empty where the layer can be looked at."""
    for node, which in path:
        if node in taken and taken[node] != which:
            return NOT_TAKEN
        if node not in taken:
            return NOT_ALIKE if which in BRANCHES else NOT_SHOWN
    return ""


def _types(
    quantized: "ModelProto",
    pairs: Sequence[tuple[WeightedLayer, Counterpart]],
    samples: SamplesLike,
    threads: int,
) -> dict[str, np.dtype[Any]]:
    """numpy's types of all tensors that are fed, as the file has them: half precision where it computes so."""
    fed = sorted({name for _, part in pairs for name in part.fed})
    (values,) = values_of(quantized, fed, samples, (0,), threads) if fed else ((),)
    return {name: value.dtype for name, value in zip(fed, values, strict=True)}


def _runs(
    real: "ModelProto",
    quantized: "ModelProto",
    measured: Sequence[_Measured],
    samples: SamplesLike,
    threads: int,
) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
    """Float's tensors and the file's outputs of layers, sample by sample."""
    outputs = list(dict.fromkeys(m.output for m in measured))
    wanted = list(dict.fromkeys(name for m in measured for name in (m.layer.output, *m.fed)))
    if not wanted:
        return
    every = tuple(range(samples.count))
    floats = values_of(real, wanted, samples, every, threads)
    values = values_of(quantized, outputs, samples, every, threads)
    for a, b in zip(floats, values, strict=True):
        yield dict(zip(wanted, a, strict=True)), dict(zip(outputs, b, strict=True))


def _add(sums: Sums, m: _Measured, floats: Mapping[str, Array], given: Array) -> None:
    feed = {name: floats[name].astype(kind, copy=False) for name, kind in m.fed.items()}
    with translated(f"the operators that replace {m.layer.name} do not run on their own"):
        own = m.own.run(None, feed)[0]
        exact = own if m.exact is None else m.exact.run(None, feed)[0]
    sums.add(floats[m.layer.output], given, own, exact)


class _Pieces:
    """Sessions of parts of `model`, whose tensors have the `types`."""

    def __init__(self, model: "ModelProto", types: Mapping[str, np.dtype[Any]], threads: int) -> None:
        self._model, self._types, self._threads = model, types, threads
        scopes = index_of(model.graph).scopes()
        self._constants = {name: t for scope in scopes for name, t in scope.constants.items()}

    def measured(self, layer: WeightedLayer, part: Counterpart) -> _Measured:
        exact = ExactActivations(self._constants)
        nodes = exact.nodes(part.nodes)
        return _Measured(
            layer,
            part.output,
            {name: self._types[name] for name in part.fed},
            self._session(part, list(part.nodes), []),
            None if nodes is None else self._session(part, nodes, exact.tensors),
        )

    def _session(self, part: Counterpart, nodes: "list[NodeProto]", tensors: "list[TensorProto]") -> Session:
        from onnx import helper

        types = {name: helper.np_dtype_to_tensor_dtype(self._types[name]) for name in part.fed}
        inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in types.items()]
        piece = part_of(self._model, nodes, inputs, [untyped(part.output)])
        piece.graph.initializer.extend(tensors)
        with quiet(), translated(f"the layer that computes {part.output} does not load on its own"):
            return ort_session(piece, threads=self._threads)
