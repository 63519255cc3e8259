"""The classic TFLite interpreter, which ai-edge-litert and tflite-runtime share.

LiteRT's newer CompiledModel kills the process on a Cortex-A72: its accelerator library is built for later CPUs.
Full-integer models take and give integers. The samples are float, as the model had them before quantization, so they
are quantized with the tensor's own scale and zero point, and the outputs dequantized, both outside the clock.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import Session

if TYPE_CHECKING:
    import numpy as np

Detail = dict[str, Any]  # what the interpreter says of a tensor


def open_with(interpreter: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Session:
    """`interpreter` is fresh, its tensors not allocated; dimensions it leaves open are set by the first sample."""
    interpreter.allocate_tensors()
    taken = _named(interpreter, inputs, "input")
    given = _named(interpreter, outputs, "output")

    def prepare(arrays: "Sequence[np.ndarray]") -> "list[tuple[int, np.ndarray]]":
        if any(tuple(t["shape"]) != a.shape for t, a in zip(taken, arrays)):
            _resize(interpreter, taken, arrays)
        return [(t["index"], _quantized(a, t)) for t, a in zip(taken, arrays)]

    read = [t["index"] for t in given]
    set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def run(feed: "list[tuple[int, np.ndarray]]") -> "list[np.ndarray]":
        for index, array in feed:
            set_tensor(index, array)
        invoke()
        return [get_tensor(index) for index in read]

    def finish(raw: "Sequence[np.ndarray]") -> "list[np.ndarray]":
        return [_dequantized(a, t) for a, t in zip(raw, given)]

    return Session(prepare, run, finish, notes=_notes(taken, given))


def _resize(interpreter: Any, tensors: "list[Detail]", arrays: "Sequence[np.ndarray]") -> None:
    """Give open dimensions (-1 in the signature) the samples' sizes. Raises ValueError where a fixed one differs."""
    for tensor, array in zip(tensors, arrays):
        declared = [int(d) for d in tensor["shape_signature"]]
        fits = len(declared) == array.ndim and all(d in (-1, n) for d, n in zip(declared, array.shape))
        if not fits:
            raise ValueError(f"input {tensor['name']} has shape {declared}, the samples {list(array.shape)}")
        interpreter.resize_tensor_input(tensor["index"], list(array.shape))
        tensor["shape"] = array.shape
    interpreter.allocate_tensors()


def _named(interpreter: Any, names: Sequence[str], side: str) -> "list[Detail]":
    """Tensor details in the order of `names`, which are tensor names or those of the only signature.

    Raises ValueError naming what the model has.
    """
    details = interpreter.get_input_details() if side == "input" else interpreter.get_output_details()
    known = {d["name"]: d for d in details}
    by_index = {d["index"]: d for d in details}
    for name, index in _signature_indices(interpreter, side).items():
        if index in by_index:
            known.setdefault(name, by_index[index])
    missing = [n for n in names if n not in known]
    if missing or (side == "input" and len(names) != len(details)):
        raise ValueError(f"the model's {side}s are {', '.join(known)}; the job names {', '.join(names)}")
    return [dict(known[n]) for n in names]


def _signature_indices(interpreter: Any, side: str) -> "dict[str, int]":
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    details = runner.get_input_details() if side == "input" else runner.get_output_details()
    return {name: d["index"] for name, d in details.items()}


def _quantized(array: "np.ndarray", tensor: Detail) -> "np.ndarray":
    """q = clip(round(x / scale) + zero_point) to the type's range (Jacob et al. 2018); other types cast as they are."""
    import numpy

    wanted: np.dtype = numpy.dtype(tensor["dtype"])
    scale, zero_point = tensor["quantization"]
    if array.dtype.kind == "f" and wanted.kind in "iu" and scale:
        limits = numpy.iinfo(wanted)
        scaled = numpy.rint(array / numpy.float32(scale)) + zero_point
        quantized: np.ndarray = numpy.clip(scaled, limits.min, limits.max).astype(wanted)
        return quantized
    return array.astype(wanted) if array.dtype.kind == wanted.kind else array


def _dequantized(array: "np.ndarray", tensor: Detail) -> "np.ndarray":
    """x = (q - zero_point) * scale."""
    scale, zero_point = tensor["quantization"]
    if array.dtype.kind in "iu" and scale:
        real: np.ndarray = ((array.astype("int32") - zero_point) * scale).astype("float32")
        return real
    return array


def _notes(taken: "list[Detail]", given: "list[Detail]") -> "tuple[str, ...]":
    def integer(tensors: "list[Detail]") -> str:
        return ", ".join(f"{t['name']} ({t['dtype'].__name__})" for t in tensors if t["quantization"][0])

    notes = []
    if integer(taken):
        notes.append(f"float samples quantized before the clock starts for {integer(taken)}")
    if integer(given):
        notes.append(f"dequantized after the clock stops: {integer(given)}")
    return tuple(notes)
