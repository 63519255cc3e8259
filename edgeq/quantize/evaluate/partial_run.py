"""Runs a model over several samples in steps, from tensor to tensor, so that the layers behind can still be changed.

Between steps only the tensors that are still needed are held, for every sample.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
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
        samples: list[dict[Tensor, Array]],
        reads: Iterable[Iterable[Tensor]],
        makes: Iterable[Iterable[Tensor]],
        outputs: Iterable[Tensor],
    ) -> None:
        """`samples` are the inputs of each sample; `reads` and `makes` are the tensors of each node, in running order."""
        self._live: list[dict[Tensor, Array]] = samples
        self._reads: list[set[Tensor]] = [set(names) for names in reads]
        self._makes: list[set[Tensor]] = [set(names) for names in makes]
        self._producer: dict[Tensor, int] = {t: k for k, names in enumerate(self._makes) for t in names}
        self._outputs: set[Tensor] = set(outputs)
        self._done: set[int] = set()

    def to(self, tensor: Tensor) -> list[Array]:
        """The values of `tensor`, one per sample. It has to be asked for before what reads it has run."""
        if tensor not in self._live[0]:
            self._run(tensor)
        return [self._real(tensor, live[tensor]) for live in self._live]

    @property
    def held(self) -> set[Tensor]:
        """The tensors that are in memory."""
        return set(self._live[0])

    @abstractmethod
    def _part(
        self, nodes: list[int], inputs: list[Tensor], outputs: list[Tensor]
    ) -> Callable[[Iterable[list[Array]]], Iterator[Iterable[Array]]]:
        """Loads a part of the model; what is returned runs it over samples, in their order."""

    def _real(self, tensor: Tensor, array: Array) -> Array:
        """`array` dequantized, where the format stores quantized tensors."""
        return array

    def _run(self, tensor: Tensor) -> None:
        nodes = self._ancestors(tensor)
        self._done.update(nodes)
        left = (names for k, names in enumerate(self._reads) if k not in self._done)
        later = self._outputs.union(*left)
        made = set[Tensor]().union(*(self._makes[k] for k in nodes))
        read = set[Tensor]().union(*(self._reads[k] for k in nodes))
        inputs, outputs = sorted((read & self._live[0].keys()) - made), sorted(made & (later | {tensor}))
        run = self._part(nodes, inputs, outputs)
        each = run([live[t] for t in inputs] for live in self._live)
        for live in self._live:
            with as_conversion_failed("a part of the model does not run on a calibration sample"):
                found = next(each)
            live.update(zip(outputs, found, strict=True))
            for t in [t for t in live if t not in later and t != tensor]:
                del live[t]

    def _ancestors(self, tensor: Tensor) -> list[int]:
        """The nodes that have not run yet without which there is no `tensor`, in running order."""
        nodes: set[int] = set()
        wanted = [tensor]
        while wanted:
            k = self._producer.get(wanted.pop())
            if k is not None and k not in nodes and k not in self._done:
                nodes.add(k)
                wanted += self._reads[k]
        return sorted(nodes)


class OnnxRun(PartialRun[str]):
    """Every operator runs as written, none fused: the result is that of the operators' definitions. But stored integers are
    dequantized once for all samples, not by each run.
    """

    def __init__(self, model: "onnx.ModelProto", samples: SamplesLike, threads: int) -> None:
        graph = model.graph
        constants = {i.name for i in graph.initializer}
        inputs = [i.name for i in graph.input if i.name not in constants]
        super().__init__(
            [dict(zip(inputs, samples[i], strict=True)) for i in range(samples.count)],
            map(names_read, graph.node),
            ((name for name in node.output if name) for node in graph.node),
            (o.name for o in graph.output),
        )
        self._model, self._threads = model, threads
        self._stored = {tensor.name: tensor for tensor in graph.initializer}

    def _part(
        self, nodes: list[int], inputs: list[str], outputs: list[str]
    ) -> Callable[[Iterable[list[Array]]], Iterator[Iterable[Array]]]:
        import onnx

        graph = self._model.graph
        types = {t: onnx.helper.np_dtype_to_tensor_dtype(self._live[0][t].dtype) for t in inputs}
        weights = {k: w for k in nodes if (w := self._dequantized(graph.node[k], outputs)) is not None}
        part = part_of(
            self._model,
            [graph.node[k] for k in nodes if k not in weights],
            [onnx.helper.make_tensor_value_info(t, types[t], None) for t in inputs],
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

    def __init__(self, model: "ModelT", samples: SamplesLike, threads: int) -> None:
        self._model, self._graph, self._threads = model, model.subgraphs[0], threads
        inputs = [int(i) for i in self._graph.inputs]
        super().__init__(
            [
                {t: self._stored(t, a) for t, a in zip(inputs, samples[i], strict=True)}
                for i in range(samples.count)
            ],
            ((int(t) for t in o.inputs if t >= 0) for o in self._graph.operators),
            (map(int, o.outputs) for o in self._graph.operators),
            map(int, self._graph.outputs),
        )

    def _part(
        self, nodes: list[int], inputs: list[int], outputs: list[int]
    ) -> Callable[[Iterable[list[Array]]], Iterator[Iterable[Array]]]:
        operators = [self._graph.operators[k] for k in nodes]
        content = packed(self._subgraph(operators, inputs, outputs))
        with quiet(), as_conversion_failed("a part of the .tflite does not load"):
            shapes = [self._live[0][t].shape for t in inputs]
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
