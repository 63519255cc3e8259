"""Runs a .tflite file piece by piece over several samples; see walk.py."""

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import quiet, translated
from edgeq.limited.native_call import native_call
from edgeq.quantize.flatbuffer import packed, stands_for_reals
from edgeq.quantize.numerics import real_values
from edgeq.quantize.samples import SamplesLike

Array = npt.NDArray[Any]

_INTEGERS: dict[int, Any] = {3: np.uint8, 7: np.int16, 9: np.int8}  # of the schema's TensorType
_WHOLE: dict[int, Any] = {2: np.int32, 4: np.int64}  # indices: converters make int32 of a model's int64


class TfliteWalk:
    """`model` is the flatbuffer's object model, which may be changed behind the point that was reached."""

    def __init__(self, model: Any, samples: SamplesLike, indices: tuple[int, ...], threads: int) -> None:
        self._model, self._graph, self._threads = model, model.subgraphs[0], threads
        inputs = [int(i) for i in self._graph.inputs]
        self._live = [
            {t: self._stored(t, a) for t, a in zip(inputs, samples[i], strict=True)} for i in indices
        ]
        self._maker = {int(t): k for k, o in enumerate(self._graph.operators) for t in o.outputs}
        self._outputs = {int(t) for t in self._graph.outputs}
        self._done: set[int] = set()

    def to(self, tensor: int) -> list[Array]:
        """The real values of `tensor`, one per sample. It has to be asked for before what reads it was run."""
        if tensor not in self._live[0]:
            self._run(tensor)
        return [self._real(tensor, live[tensor]) for live in self._live]

    def _run(self, tensor: int) -> None:
        operators = self._graph.operators
        piece = self._ancestors(tensor)
        self._done |= piece
        left = [o for k, o in enumerate(operators) if k not in self._done]
        later = self._outputs | {int(t) for o in left for t in o.inputs}
        made = {int(t) for k in piece for t in operators[k].outputs}
        read = {int(t) for k in piece for t in operators[k].inputs}
        wanted = sorted(made & (later | {tensor}))
        fed = sorted((read & self._live[0].keys()) - made)
        interpreter = self._interpreter([operators[k] for k in sorted(piece)], fed, wanted)
        # The interpreter lists inputs and outputs in the piece's order.
        places = [d["index"] for d in interpreter.get_input_details()]
        found = [d["index"] for d in interpreter.get_output_details()]
        for live in self._live:
            with translated("a piece of the .tflite does not run on a calibration sample"):
                for place, t in zip(places, fed, strict=True):
                    interpreter.set_tensor(place, live[t])
                native_call(interpreter.invoke)
            live.update((t, interpreter.get_tensor(place)) for place, t in zip(found, wanted, strict=True))
            for t in [t for t in live if t not in later and t != tensor]:
                del live[t]

    def _ancestors(self, tensor: int) -> set[int]:
        """Operators not run yet without which there is no `tensor`."""
        piece: set[int] = set()
        open_tensors = [tensor]
        while open_tensors:
            k = self._maker.get(open_tensors.pop())
            if k is not None and k not in piece and k not in self._done:
                piece.add(k)
                open_tensors += [int(t) for t in self._graph.operators[k].inputs if t >= 0]
        return piece

    def _interpreter(self, operators: list[Any], fed: list[int], wanted: list[int]) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        content = packed(self._piece(operators, fed, wanted))
        with quiet(), translated("a piece of the .tflite does not load"):
            interpreter = Interpreter(model_content=content, num_threads=self._threads)
            for detail, t in zip(interpreter.get_input_details(), fed, strict=True):
                if tuple(detail["shape"]) != self._live[0][t].shape:
                    interpreter.resize_tensor_input(detail["index"], self._live[0][t].shape)
            interpreter.allocate_tensors()
        return interpreter

    def _piece(self, operators: list[Any], fed: list[int], wanted: list[int]) -> Any:
        """Indices stay; what the piece does not read is left empty: to pack it all takes longer than to run it."""
        graph, model = copy(self._graph), copy(self._model)
        touched = {int(t) for o in operators for t in (*o.inputs, *o.outputs)}
        nothing = type(graph.tensors[0])()
        nothing.shape = []
        graph.tensors = [t if k in touched else nothing for k, t in enumerate(graph.tensors)]
        graph.operators, graph.inputs, graph.outputs = operators, fed, wanted
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
        kind = np.iinfo(_INTEGERS[place.type])
        whole = np.round(array / np.float32(place.quantization.scale[0])) + place.quantization.zeroPoint[0]
        return np.asarray(np.clip(whole, kind.min, kind.max), kind.dtype)

    def _real(self, tensor: int, array: Array) -> Array:
        q = self._graph.tensors[tensor].quantization
        if not stands_for_reals(self._graph.tensors[tensor]) or not np.issubdtype(array.dtype, np.integer):
            return array
        return real_values(array, q.scale[0], q.zeroPoint[0])
