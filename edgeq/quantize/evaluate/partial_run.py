"""Runs a model over several samples in steps, from tensor to tensor, so that the layers behind can still be changed.

Between steps only the tensors that are still needed are held, for every sample.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.input_integers import input_integers
from edgeq.graphs.onnx_index import names_read
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import part_of, untyped
from edgeq.graphs.tflite import is_float_or_quantized, packed
from edgeq.graphs.tflite_session import open_interpreter
from edgeq.limited.native_call import native_call
from edgeq.quantize.numerics import dequantize_linear
from edgeq.quantize.samples import SamplesLike

if TYPE_CHECKING:
    import onnx
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT

Array = npt.NDArray[Any]
Tensor = TypeVar("Tensor", str, int)  # a name in ONNX, an index in TFLite

_INTEGERS: dict[int, type[np.integer]] = {3: np.uint8, 7: np.int16, 9: np.int8}  # of the schema's TensorType
_WHOLE: dict[int, type[np.integer]] = {
    2: np.int32,
    4: np.int64,
}  # indices: converters make int32 of a model's int64


_DEQUANTIZED = (2, 3, 6)  # of ONNX's TensorProto: uint8, int8, int32


class PartialRun(ABC, Generic[Tensor]):
    """Constants of nodes that have not run yet may be changed; nodes, and what they read, stay."""

    def __init__(
        self,
        samples: SamplesLike,
        first: int | None,
        inputs: Sequence[Tensor],
        reads: Iterable[Iterable[Tensor]],
        makes: Iterable[Iterable[Tensor]],
        outputs: Iterable[Tensor],
    ) -> None:
        """The `first` samples are run, None: all, until `to` asks for more. `reads` and `makes` are the tensors of each node, in
        running order.
        """
        self._samples = samples
        self._inputs: Sequence[Tensor] = inputs
        self._reads: list[set[Tensor]] = [set(names) for names in reads]
        self._makes: list[set[Tensor]] = [set(names) for names in makes]
        self._producer: dict[Tensor, int] = {t: k for k, names in enumerate(self._makes) for t in names}
        self._outputs: set[Tensor] = set(outputs)
        self._done: set[int] = set()
        self._live: list[dict[Tensor, Array]] = [
            self._fed(i) for i in range(samples.count if first is None else first)
        ]

    def to(self, tensor: Tensor, count: int = 0) -> list[Array]:
        """The values of `tensor`, one per sample, of the first `count` samples or as many as were run before. It has to be asked for
        before what reads it has run.
        """
        if tensor not in self._live[0]:
            self._run(tensor)
        if count > len(self._live):
            self._catch_up(count)
        return [self._real(tensor, live[tensor]) for live in self._live]

    def held_at(self, tensors: Iterable[Tensor]) -> list[set[Tensor]]:
        """The tensors that are in memory of each sample once each of `tensors` has been asked for, one after the other."""
        done, held, found = set[int](), set(self._inputs), []
        for tensor in tensors:
            nodes = [] if tensor in held else self._ancestors([tensor], done)
            done.update(nodes)
            held.update(*(self._makes[k] for k in nodes))
            held &= self._read_after(done) | {tensor}
            found.append(set(held))
        return found

    @property
    def held(self) -> set[Tensor]:
        """The tensors that are in memory."""
        return set(self._live[0])

    @abstractmethod
    def _feed(self, arrays: tuple[Array, ...]) -> list[Array]:
        """A sample's inputs, as the model takes them."""

    @abstractmethod
    def _part(
        self, nodes: list[int], inputs: dict[Tensor, Array], outputs: list[Tensor]
    ) -> Callable[[Iterable[list[Array]]], Iterator[Iterable[Array]]]:
        """Loads a part of the model; what is returned runs it over samples, in their order. `inputs` are those of one sample."""

    def _real(self, tensor: Tensor, array: Array) -> Array:
        """`array` dequantized, where the format stores quantized tensors."""
        return array

    def _fed(self, i: int) -> dict[Tensor, Array]:
        return dict(zip(self._inputs, self._feed(self._samples[i]), strict=True))

    def _run(self, tensor: Tensor) -> None:
        nodes = self._ancestors([tensor], self._done)
        self._done.update(nodes)
        later = self._read_after(self._done)
        made = set[Tensor]().union(*(self._makes[k] for k in nodes))
        read = set[Tensor]().union(*(self._reads[k] for k in nodes))
        inputs = {t: self._live[0][t] for t in sorted((read & self.held) - made)}
        found_of_each = self._each(nodes, inputs, sorted(made & (later | {tensor})), iter(self._live))
        for live, found in zip(self._live, found_of_each, strict=True):
            live.update(found)
            for t in [t for t in live if t not in later and t != tensor]:
                del live[t]

    def _read_after(self, done: set[int]) -> set[Tensor]:
        return self._outputs.union(*(names for k, names in enumerate(self._reads) if k not in done))

    def _catch_up(self, count: int) -> None:
        """Runs more samples, up to where the others are."""
        some = range(len(self._live), min(count, self._samples.count))
        outputs, kept = sorted(self.held.difference(self._inputs)), self.held.intersection(self._inputs)
        nodes = self._ancestors(outputs, set())
        found_of_each = self._each(nodes, self._fed(0), outputs, map(self._fed, some))
        for i, found in zip(some, found_of_each, strict=True):
            inputs = self._fed(i) if kept else {}
            self._live.append({t: array for t, array in inputs.items() if t in kept} | found)

    def _each(
        self,
        nodes: list[int],
        inputs: dict[Tensor, Array],
        outputs: list[Tensor],
        samples: Iterator[dict[Tensor, Array]],
    ) -> Iterator[dict[Tensor, Array]]:
        """What `nodes` make of each sample; `inputs` are their inputs in one."""
        if not nodes:
            yield from ({} for _ in samples)
            return
        each = self._part(nodes, inputs, outputs)([live[t] for t in inputs] for live in samples)
        while True:
            with as_conversion_failed("a part of the model does not run on a calibration sample"):
                found = next(each, None)
            if found is None:
                return
            yield dict(zip(outputs, found, strict=True))

    def _ancestors(self, tensors: list[Tensor], but: set[int]) -> list[int]:
        """The nodes without which there are no `tensors`, in running order, but for some and what they need alone."""
        nodes: set[int] = set()
        wanted = list(tensors)
        while wanted:
            k = self._producer.get(wanted.pop())
            if k is not None and k not in nodes and k not in but:
                nodes.add(k)
                wanted += self._reads[k]
        return sorted(nodes)


class OnnxRun(PartialRun[str]):
    """Every operator runs as written, none fused: the result is that of the operators' definitions. But stored integers are
    dequantized once for all samples, not by each run.
    """

    def __init__(
        self, model: "onnx.ModelProto", samples: SamplesLike, threads: int, first: int | None = None
    ) -> None:
        graph = model.graph
        constants = {i.name for i in graph.initializer}
        super().__init__(
            samples,
            first,
            [i.name for i in graph.input if i.name not in constants],
            map(names_read, graph.node),
            ((name for name in node.output if name) for node in graph.node),
            (o.name for o in graph.output),
        )
        self._model, self._threads = model, threads
        self._stored = {tensor.name: tensor for tensor in graph.initializer}

    def _feed(self, arrays: tuple[Array, ...]) -> list[Array]:
        return list(arrays)

    def _part(
        self, nodes: list[int], inputs: dict[str, Array], outputs: list[str]
    ) -> Callable[[Iterable[list[Array]]], Iterator[Iterable[Array]]]:
        import onnx

        graph = self._model.graph
        types = {t: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for t, array in inputs.items()}
        weights = {k: w for k in nodes if (w := self._dequantized(graph.node[k], outputs)) is not None}
        part = part_of(
            self._model,
            [graph.node[k] for k in nodes if k not in weights],
            [onnx.helper.make_tensor_value_info(t, kind, None) for t, kind in types.items()],
            [untyped(t) for t in outputs],
        )
        part.graph.initializer.extend(weights.values())
        with quiet(), as_conversion_failed("a part of the graph does not load"):
            session = ort_session(part, threads=self._threads, optimize=False)
        return lambda samples: session.run_each(
            outputs, (dict(zip(inputs, arrays, strict=True)) for arrays in samples)
        )

    def _dequantized(self, node: "onnx.NodeProto", outputs: list[str]) -> "onnx.TensorProto | None":
        """Of a DequantizeLinear of stored integers in a type that numpy has, with one scale for all or for each index of an axis."""
        import onnx

        if node.op_type != "DequantizeLinear" or node.output[0] in outputs:
            return None
        stored = [self._stored[name] for name in node.input if name in self._stored]
        if len(stored) < len(node.input):
            return None
        attributes = {a.name: a.i for a in node.attribute}
        if stored[0].data_type not in _DEQUANTIZED or attributes.keys() - {"axis"}:
            return None
        integers, scale, *zero = (onnx.numpy_helper.to_array(tensor) for tensor in stored)
        if scale.dtype != np.float32:
            return None
        floats = dequantize_linear(integers, scale, zero[0] if zero else 0, attributes.get("axis", 1))
        return onnx.numpy_helper.from_array(floats, node.output[0])


class TfliteRun(PartialRun[int]):
    """`model` is the flatbuffer's object model. Values are given as floats."""

    def __init__(self, model: "ModelT", samples: SamplesLike, threads: int, first: int | None = None) -> None:
        self._model, self._graph, self._threads = model, model.subgraphs[0], threads
        super().__init__(
            samples,
            first,
            [int(i) for i in self._graph.inputs],
            ((int(t) for t in o.inputs if t >= 0) for o in self._graph.operators),
            (map(int, o.outputs) for o in self._graph.operators),
            map(int, self._graph.outputs),
        )

    def _feed(self, arrays: tuple[Array, ...]) -> list[Array]:
        return [self._stored(t, array) for t, array in zip(self._inputs, arrays, strict=True)]

    def _part(
        self, nodes: list[int], inputs: dict[int, Array], outputs: list[int]
    ) -> Callable[[Iterable[list[Array]]], Iterator[Iterable[Array]]]:
        operators = [self._graph.operators[k] for k in nodes]
        content = packed(self._subgraph(operators, [*inputs], outputs))
        with quiet(), as_conversion_failed("a part of the .tflite does not load"):
            shapes = [array.shape for array in inputs.values()]
            interpreter = open_interpreter(content, self._threads, shapes=shapes)
        # The interpreter lists inputs and outputs in the part's order.
        fed = [d["index"] for d in interpreter.get_input_details()]
        made = [d["index"] for d in interpreter.get_output_details()]

        def run(arrays: list[Array]) -> list[Array]:
            for place, array in zip(fed, arrays, strict=True):
                interpreter.set_tensor(place, array)
            native_call(interpreter.invoke)
            return [interpreter.get_tensor(place) for place in made]

        return lambda samples: map(run, samples)

    def _subgraph(self, operators: "list[OperatorT]", inputs: list[int], outputs: list[int]) -> "ModelT":
        """Indices stay; what the part does not read is left empty: to pack it all takes longer than to run it."""
        graph, model = copy(self._graph), copy(self._model)
        touched = {int(t) for o in operators for t in (*o.inputs, *o.outputs)}
        nothing = type(graph.tensors[0])()
        nothing.shape = []
        graph.tensors = [t if k in touched else nothing for k, t in enumerate(graph.tensors)]
        graph.operators, graph.inputs, graph.outputs = operators, inputs, outputs
        model.subgraphs = [graph, *model.subgraphs[1:]]
        model.signatureDefs = model.metadata = None
        read = {t.buffer for g in model.subgraphs for t in g.tensors}
        empty = type(model.buffers[0])()
        model.buffers = [b if k in read else empty for k, b in enumerate(model.buffers)]
        return model

    def _stored(self, tensor: int, array: Array) -> Array:
        """As the file takes it: a sample is float also where that takes integers."""
        place = self._graph.tensors[tensor]
        if place.type in _WHOLE and np.issubdtype(array.dtype, np.integer):
            return array.astype(_WHOLE[place.type])
        if place.type not in _INTEGERS or not np.issubdtype(array.dtype, np.floating):
            return array
        q = place.quantization
        return input_integers(array, _INTEGERS[place.type], float(q.scale[0]), int(q.zeroPoint[0]))

    def _real(self, tensor: int, array: Array) -> Array:
        q = self._graph.tensors[tensor].quantization
        if not is_float_or_quantized(self._graph.tensors[tensor]) or not np.issubdtype(
            array.dtype, np.integer
        ):
            return array
        return dequantize_linear(array, q.scale[0], q.zeroPoint[0])
