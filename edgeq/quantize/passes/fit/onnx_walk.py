"""Runs a graph piece by piece over several samples, so that what comes later can still be changed.

Between pieces only the tensors that are still needed are held, for every sample.
"""

from typing import Any

import numpy.typing as npt

from edgeq.foreign import quiet, translated
from edgeq.graphs.ort_session import ort_session
from edgeq.quantize.names_read import names_read
from edgeq.quantize.piece import piece_of

Array = npt.NDArray[Any]


class Walk:
    """`model` is an onnx ModelProto, which may be changed behind the point that was reached; `feeds` one dict a sample.

    Every operator runs as written, none fused: the result is that of the operators' definitions.
    """

    def __init__(self, model: Any, feeds: list[dict[str, Array]], threads: int) -> None:
        self._model, self._threads = model, threads
        self._live = [dict(feed) for feed in feeds]
        self._maker = {name: k for k, node in enumerate(model.graph.node) for name in node.output if name}
        self._outputs = {o.name for o in model.graph.output}
        self._done: set[int] = set()

    def to(self, tensor: str) -> list[Array]:
        """The values of `tensor`, one per sample. It has to be asked for before what reads it was run."""
        if tensor not in self._live[0]:
            self._run(tensor)
        return [live[tensor] for live in self._live]

    @property
    def held(self) -> set[str]:
        """Names of the tensors that are in memory."""
        return set(self._live[0])

    def _run(self, tensor: str) -> None:
        nodes = self._model.graph.node
        reads = [names_read(node) for node in nodes]
        piece = self._ancestors(tensor, reads)
        self._done |= piece
        later = self._outputs | {t for k, names in enumerate(reads) if k not in self._done for t in names}
        order = sorted(piece)
        made = {name for k in order for name in nodes[k].output if name}
        read = {t for k in order for t in reads[k]}
        wanted = sorted(made & (later | {tensor}))
        fed = sorted((read & self._live[0].keys()) - made)
        session = self._session([nodes[k] for k in order], fed, read, wanted)
        for live in self._live:
            with translated("a piece of the graph does not run on a calibration sample"):
                found = session.run(wanted, {name: live[name] for name in fed})
            live.update(zip(wanted, found, strict=True))
            for name in [n for n in live if n not in later and n != tensor]:
                del live[name]

    def _ancestors(self, tensor: str, reads: list[set[str]]) -> set[int]:
        """Nodes not run yet without which there is no `tensor`."""
        piece: set[int] = set()
        wanted = [tensor]
        while wanted:
            name = wanted.pop()
            k = self._maker.get(name)
            if k is not None and k not in piece and k not in self._done:
                piece.add(k)
                wanted += reads[k]
        return piece

    def _session(self, nodes: list[Any], fed: list[str], read: set[str], wanted: list[str]) -> Any:
        import onnx

        helper = onnx.helper
        first = self._live[0]
        inputs = [
            helper.make_tensor_value_info(t, helper.np_dtype_to_tensor_dtype(first[t].dtype), None)
            for t in fed
        ]
        held = [i for i in self._model.graph.initializer if i.name in read]
        outputs = [onnx.ValueInfoProto(name=t) for t in wanted]
        piece = piece_of(self._model, nodes, inputs, outputs, held)
        with quiet(), translated("a piece of the graph does not load"):
            return ort_session(piece, threads=self._threads, optimize=False)
