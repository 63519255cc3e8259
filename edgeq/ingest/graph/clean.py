"""The clean float graph: shapes fixed where no sample differs, current opset, constants and batch norms folded, an IR version that devices read.

Every step is kept only where the graph still gives what the source gave; what was done, and what was not and why, is in
the notes. A graph that is quantized already is left as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.ingest.graph import shapes as fixed
from edgeq.ingest.graph.node_names import forget_names_in_functions, told_apart
from edgeq.ingest.graph.opset import NEEDED, NEWEST, OLDEST, WANTED, lower_ir, moved, opset_of
from edgeq.ingest.graph.quantized import quantized_words
from edgeq.ingest.graph.read import Loaded
from edgeq.ingest.graph.signature import drop_initializer_inputs, inputs_of, outputs_of
from edgeq.ingest.graph.simplify import foreign_operators, simplified, strip_metadata
from edgeq.ingest.graph.trial import CannotRun, loads, reference, run, same
from edgeq.ingest.varied import Survey, text
from edgeq.nouns.model import Varied
from edgeq.nouns.repairs import counted
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto

# A step that makes the graph this much larger unrolled something (a big constant, say) that is better left computed.
_GROWTH = 1.1

Example = tuple[np.ndarray, ...] | None
Examples = tuple[Example, ...]


@dataclass(frozen=True)
class Cleaned:
    """`untouched`: the source's own bytes are to be used."""

    proto: "ModelProto"
    loaded: Loaded
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    quantized: str | None = None
    untouched: bool = False
    varied: Varied | None = None


def clean(
    loaded: Loaded,
    shapes: Mapping[str, tuple[int, ...]],
    example: tuple[np.ndarray, ...] | None,
    survey: Callable[[tuple[TensorSpec, ...]], Survey | None] = lambda _: None,
) -> Cleaned:
    """`survey` is asked for the samples' shapes where the model and `shapes` leave any open.

    Raises ModelRefused where a shape stays open, an input is no tensor, or onnxruntime does not take the graph."""
    from onnx import ModelProto

    proto = ModelProto()
    proto.CopyFrom(loaded.proto)
    notes = []
    if removed := drop_initializer_inputs(proto):
        notes.append(f"{removed} initialisers were listed as inputs: removed from the inputs")
    left = fixed.left_open(proto, inputs_of(proto), shapes)
    seen = survey(left) if any(None in spec.shape for spec in left) else None
    examples: Examples = (example,) if seen is None else seen.examples
    pins = fixed.pin(proto, inputs_of(proto), shapes, examples[0], seen.differ if seen else {})
    count = fixed.apply(proto, pins)
    if seen is not None:
        _require_open(loaded, proto, examples)
        notes.append(f"shapes left open where the samples differ: {_shapes_text(pins)}")
    elif count:
        notes.append(f"shapes fixed: {_shapes_text(pins)} ({count} open dimensions)")
    cleaned = _cleaned(loaded, proto, examples, notes)
    return cleaned if seen is None else replace(cleaned, varied=seen.varied)


def _require_open(loaded: Loaded, proto: "ModelProto", examples: Examples) -> None:
    """Exporters note a dimension as open that they fixed to the example's inside. Raises ModelRefused."""
    names = [spec.name for spec in inputs_of(proto)]
    for example in examples:
        feed = dict(zip(names, example or (), strict=True))
        try:
            run(proto if loaded.inlined else str(loaded.path), feed)
        except CannotRun as error:
            shapes = ", ".join(f"{name} {text(array.shape)}" for name, array in feed.items())
            raise ModelRefused(
                f"the samples differ in shape, and the model, whose inputs leave that open, does not run on {shapes}: {error}",
                "export it so that nothing inside is fixed to one size, or fix it here with --shape, for samples that have "
                "that shape",
            ) from None


def _cleaned(loaded: Loaded, proto: "ModelProto", examples: Examples, notes: list[str]) -> Cleaned:
    words = quantized_words(proto)
    if words or not loaded.inlined:
        return _as_it_is(loaded, proto, notes, words)
    forget_names_in_functions(proto)
    if renamed := told_apart(proto.graph):
        notes.append(f"{counted(renamed, 'node')} renamed: the name was that of another")
    lower_ir(proto)  # onnx writes newer ones than the onnxruntime of the day reads
    proto = _improved(proto, examples, notes)
    strip_metadata(proto)
    lower_ir(proto)
    return Cleaned(proto, loaded, inputs_of(proto), outputs_of(proto), tuple(notes))


def _as_it_is(loaded: Loaded, proto: "ModelProto", notes: list[str], words: str | None) -> Cleaned:
    try:
        loads(loaded.proto if loaded.inlined else str(loaded.path))
    except CannotRun as error:
        raise _refusal(proto, error) from None
    if words:
        notes.append(f"already quantized ({words}): deployed as it is")
    if not loaded.inlined:
        notes.append("weights above 2 GB stay in their files: the graph is used as it is, not simplified")
    return Cleaned(proto, loaded, inputs_of(proto), outputs_of(proto), tuple(notes), words, untouched=True)


def _improved(proto: "ModelProto", examples: Examples, notes: list[str]) -> "ModelProto":
    """Folds, moves the opset, folds again; each step only if the outputs stay the same, on every example's shape."""
    try:
        known = [reference(proto, _of_shapes(inputs_of(proto), example), example) for example in examples]
    except CannotRun as error:
        return _unproven(proto, error, notes)

    def keeps(candidate: "ModelProto") -> bool:
        try:
            return all(same(expected, run(candidate, feed)) for feed, expected in known)
        except CannotRun:
            return False

    proto = _fold(proto, keeps, notes)
    before = opset_of(proto)
    proto = _move_opset(proto, keeps, notes)
    if opset_of(proto) != before:
        proto = _fold(proto, keeps, notes)
    return _with_inferred_shapes(proto)


def _of_shapes(inputs: tuple[TensorSpec, ...], example: Example) -> tuple[TensorSpec, ...]:
    """Where inputs are open the example has their whole shapes (varied.py)."""
    if example is None or all(None not in spec.shape for spec in inputs):
        return inputs
    return tuple(replace(spec, shape=array.shape) for spec, array in zip(inputs, example, strict=True))


def _unproven(proto: "ModelProto", error: CannotRun, notes: list[str]) -> "ModelProto":
    """A graph that does not run on random input cannot be compared; it is used as it is, if it loads at all."""
    try:
        loads(proto)
    except CannotRun as refused:
        raise _refusal(proto, refused) from None
    notes.append(
        f"not simplified: the graph does not run on random input, so nothing could be compared ({error})"
    )
    return proto


def _fold(proto: "ModelProto", keeps: Callable[["ModelProto"], bool], notes: list[str]) -> "ModelProto":
    if _has_half(proto):
        notes.append(
            "not simplified: a float16 graph would be filled with casts for this CPU; int8 takes a model exported in float32"
        )
        return proto
    try:
        folded = simplified(proto)
    except CannotRun as error:
        notes.append(f"not simplified: {error}")
        return proto
    if foreign := foreign_operators(proto, folded):
        notes.append(f"not simplified: it would bring in {', '.join(sorted(foreign))}")
    elif folded.ByteSize() > _GROWTH * proto.ByteSize() + 65536:
        notes.append(
            f"not simplified: it would grow from {proto.ByteSize():,} to {folded.ByteSize():,} bytes"
        )
    elif not keeps(folded):
        notes.append("not simplified: the outputs on random input would change")
    else:
        if len(folded.graph.node) != len(proto.graph.node):
            notes.append(
                f"constants and batch norms folded: {len(proto.graph.node)} -> {len(folded.graph.node)} nodes"
            )
        return folded
    return proto


def _move_opset(proto: "ModelProto", keeps: Callable[["ModelProto"], bool], notes: list[str]) -> "ModelProto":
    before, reason = opset_of(proto), ""
    if NEEDED <= before <= NEWEST:
        return proto
    for version in (WANTED, NEEDED) if before < NEEDED else (NEWEST,):
        try:
            other = moved(proto, version)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0].rpartition("failed: ")[2][:200]
            continue
        if keeps(other):
            notes.append(f"opset {before} changed to {version}, outputs on random input unchanged")
            return other
        reason = "the outputs on random input would change"
    matters = (
        f"per-channel quantization needs {NEEDED}"
        if before < NEEDED
        else f"runtimes that know only {NEWEST} refuse it"
    )
    notes.append(f"opset {before} kept: {reason}; {matters}")
    return proto


def _with_inferred_shapes(proto: "ModelProto") -> "ModelProto":
    """Shapes of the tensors inside, for whoever predicts memory; a graph that cannot be inferred stays as it is."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(proto, data_prop=True)
    except (
        Exception
    ):  # InferenceError, or RuntimeError by version; the graph has already been run, so it is sound
        return proto


def _has_half(proto: "ModelProto") -> bool:
    from onnx import TensorProto

    return any(t.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16) for t in proto.graph.initializer)


def _refusal(proto: "ModelProto", error: CannotRun) -> ModelRefused:
    opset = opset_of(proto)
    if opset < OLDEST:
        return ModelRefused(
            f"the model has opset {opset}, older than onnxruntime knows: {error}",
            f"export it again with opset {NEEDED} to 21; edgeq reads {OLDEST} and up",
        )
    return ModelRefused(
        f"onnxruntime does not take the model (opset {opset}): {error}",
        f"export it again with standard operators and opset {NEEDED} to 21",
    )


def _shapes_text(pins: fixed.Pins) -> str:
    return ", ".join(
        f"{name} {'x'.join('?' if d is None else str(d) for d in shape) or 'scalar'}"
        for name, shape in pins.items()
    )
