"""The clean float graph: shapes fixed where no sample differs, current opset, constants and batch norms folded, an IR version that devices read.

Every step is kept only where the graph still gives what the source gave; what was done, and what was not and why, is in
the notes. A graph that is quantized already is left as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_io import lower_ir, opset_of
from edgeq.graphs.weightless import infer_shapes, message_bytes, weightless, with_weights
from edgeq.ingest.graph import shapes as fixed
from edgeq.ingest.graph.culprit import culprit
from edgeq.ingest.graph.einsum_products import as_products
from edgeq.ingest.graph.fold import folded, grown
from edgeq.ingest.graph.half_weights import computes_in_halves, widened
from edgeq.ingest.graph.node_names import forget_names_in_functions, told_apart
from edgeq.ingest.graph.one_form import in_one_form
from edgeq.ingest.graph.opset import (
    DYNAMIC,
    NEEDED,
    NEWEST,
    OLDEST,
    PER_TENSOR,
    WANTED,
    moved,
)
from edgeq.ingest.graph.proven import OTHER_OUTPUTS, Example, Examples, Proof, changed, proof_of
from edgeq.ingest.graph.quantized import quantized_words
from edgeq.ingest.graph.random_numbers import refuse_random
from edgeq.ingest.graph.read import Loaded
from edgeq.ingest.graph.signature import drop_initializer_inputs, inputs_of, outputs_of, refuse_without_ends
from edgeq.ingest.graph.simplify import foreign_operators, strip_metadata
from edgeq.ingest.graph.trial import CannotRun, loads, run
from edgeq.ingest.varied import Survey, text
from edgeq.nouns.model import Varied
from edgeq.nouns.tensor import TensorSpec
from edgeq.plain_text import counted

if TYPE_CHECKING:
    from onnx import ModelProto

_NAMED = 3  # tensors in a sentence


@dataclass(frozen=True)
class Cleaned:
    """`untouched`: the source's own bytes are to be used. `kept_opset`: why the opset is one without scales per channel."""

    proto: "ModelProto"
    loaded: Loaded
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    quantized: str | None = None
    untouched: bool = False
    varied: Varied | None = None
    kept_opset: str = ""


def clean(
    loaded: Loaded,
    shapes: Mapping[str, tuple[int, ...]],
    example: tuple[np.ndarray, ...] | None,
    survey: Callable[[tuple[TensorSpec, ...]], Survey | None] = lambda _: None,
) -> Cleaned:
    """`survey` is asked for the samples' shapes where the model and `shapes` leave any open.

    Changes `loaded`. Raises ModelRefused where a shape stays open, an input is no tensor, the graph draws random numbers,
    or onnxruntime does not take it."""
    # Of the source, and of states between, the graph alone is held: the weights stay the same.
    proto, loaded = loaded.proto, replace(loaded, proto=weightless(loaded.proto))
    notes = []
    if removed := drop_initializer_inputs(proto):
        notes.append(f"{removed} initialisers were listed as inputs: removed from the inputs")
    refuse_without_ends(proto)
    opened = weightless(proto)
    left = fixed.left_open(proto, inputs_of(proto), shapes)
    seen = survey(left) if any(None in spec.shape for spec in left) else None
    examples: Examples = (example,) if seen is None else seen.examples
    pins = fixed.pin(proto, inputs_of(proto), shapes, examples[0], seen.differ if seen else {})
    count = fixed.apply(proto, pins)
    if seen is not None:
        _require_open(loaded, proto, examples)
        notes.append(f"dimensions left open, because the samples differ in them: {_shapes_text(pins)}")
    elif count:
        if reason := _only_loads_open(loaded, opened, proto):
            notes.append(
                f"shapes left open: with {_shapes_text(pins)} onnxruntime does not load it: {reason}"
            )
            with_weights(opened, proto)
            return _open_for_one_shape(loaded, opened, pins, examples, notes)
        notes.append(f"shapes fixed: {_shapes_text(pins)} ({count} open dimensions)")
    cleaned = _cleaned(loaded, proto, inputs_of(proto), examples, notes)
    return cleaned if seen is None else replace(cleaned, varied=seen.varied)


def _only_loads_open(loaded: Loaded, opened: "ModelProto", pinned: "ModelProto") -> str:
    """Why the pinned graph does not load where the open one does; empty otherwise. A branch of an If that is never taken
    may be impossible in the shapes that are fixed.
    """
    if not loaded.inlined:
        return ""
    try:
        loads(_readable(pinned))
    except CannotRun as error:
        try:
            loads(_readable(opened), weights=pinned)
        except CannotRun:
            return ""
        return str(error)
    return ""


def _readable(proto: "ModelProto") -> "ModelProto":
    """A copy as onnxruntime reads it, which refuses newer IR versions and names that occur twice."""
    copy = copied(proto)
    forget_names_in_functions(copy)
    told_apart(copy.graph)
    lower_ir(copy)
    return copy


def _open_for_one_shape(
    loaded: Loaded, opened: "ModelProto", pins: fixed.Pins, examples: Examples, notes: list[str]
) -> Cleaned:
    """The graph keeps its open shapes, though only inputs of the shapes in `pins` will be given to it."""
    whole = {name: tuple(d or 1 for d in shape) for name, shape in pins.items()}
    inputs = tuple(replace(spec, shape=whole[spec.name]) for spec in inputs_of(opened))
    cleaned = _cleaned(loaded, opened, inputs, examples, notes)
    return replace(cleaned, inputs=inputs, varied=Varied(1, whole, whole, whole))


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


def _cleaned(
    loaded: Loaded,
    proto: "ModelProto",
    inputs: tuple[TensorSpec, ...],
    examples: Examples,
    notes: list[str],
) -> Cleaned:
    """`inputs` have the shapes that the graph is tried with, where no example has them."""
    words = quantized_words(proto)
    if words or not loaded.inlined:
        return _as_it_is(loaded, proto, inputs, examples[0], notes, words)
    forget_names_in_functions(proto)
    if renamed := told_apart(proto.graph):
        notes.append(f"{counted(renamed, 'node')} renamed: the name was not unique")
    lower_ir(proto)  # onnx writes newer ones than the onnxruntime of the day reads
    refuse_random(proto, proto, inputs, examples[0])
    proto, kept = _improved(proto, inputs, examples, notes)
    before = weightless(proto)
    strip_metadata(proto)
    lower_ir(proto)
    proto = _last_that_loads(proto, before, notes)
    return Cleaned(proto, loaded, inputs_of(proto), outputs_of(proto), tuple(notes), kept_opset=kept)


def _last_that_loads(proto: "ModelProto", before: "ModelProto", notes: list[str]) -> "ModelProto":
    try:
        loads(proto)
        return proto
    except CannotRun as error:
        notes.append(f"metadata and IR version kept: without them onnxruntime does not load it: {error}")
        with_weights(before, proto)
        return before


def _as_it_is(
    loaded: Loaded,
    proto: "ModelProto",
    inputs: tuple[TensorSpec, ...],
    example: Example,
    notes: list[str],
    words: str | None,
) -> Cleaned:
    if loaded.inlined:
        with_weights(loaded.proto, proto)
    source = loaded.proto if loaded.inlined else str(loaded.path)
    try:
        loads(source)
    except CannotRun as error:
        raise _refusal(proto, error) from None
    refuse_random(proto, source, inputs, example)
    if words:
        notes.append(f"already quantized ({words}): deployed as it is")
    if not loaded.inlined:
        notes.append("weights above 2 GB stay in their files: the graph is used as it is, not simplified")
    return Cleaned(proto, loaded, inputs_of(proto), outputs_of(proto), tuple(notes), words, untouched=True)


def _improved(
    proto: "ModelProto", inputs: tuple[TensorSpec, ...], examples: Examples, notes: list[str]
) -> "tuple[ModelProto, str]":
    """Folds, moves the opset, folds again, each step only if it is proven; and why the opset could not be moved."""
    try:
        proof = proof_of(proto, inputs, examples)
    except CannotRun as error:
        return _unproven(proto, error, notes), ""
    proto = _fold(_widen(proto, proof, notes), proof, notes)
    moved = _move_opset(proto, proof, notes)
    if opset_of(moved.proto) != opset_of(proto):
        moved = replace(moved, proto=_fold(moved.proto, proof, notes))
    proto = moved.proto
    proto = _multiply(proto, proof, notes)
    for step in (in_one_form, _with_inferred_shapes):
        proto, _ = changed(proto, step, proof)
    return proto, moved.why_not


def _unproven(proto: "ModelProto", error: CannotRun, notes: list[str]) -> "ModelProto":
    """A graph that runs neither on the samples nor on random input cannot be compared; it is used as it is, if it loads."""
    try:
        loads(proto)
    except CannotRun as refused:
        raise _refusal(proto, refused) from None
    notes.append(
        f"not simplified: the graph does not run on random input, so nothing could be compared ({error})"
    )
    return proto


def _widen(proto: "ModelProto", proof: Proof, notes: list[str]) -> "ModelProto":
    names: tuple[str, ...] = ()

    def change(model: "ModelProto") -> "ModelProto":
        nonlocal names
        other, names = widened(model)
        return other

    other, reason = changed(proto, change, proof)
    if reason:
        notes.append(f"constants in 16-bit floats that are computed in float32 are kept: {reason}")
    elif names:
        notes.append(f"stored in 16-bit floats, computed in float32, now float32: {_some(names)}")
    return other


def _multiply(proto: "ModelProto", proof: Proof, notes: list[str]) -> "ModelProto":
    """Einsums by constants as matrix products, where storing these does not make the file larger."""
    refused: dict[str, str] = {}

    def change(model: "ModelProto") -> "ModelProto":
        nonlocal refused
        other, refused = as_products(model)
        if grown(model, other):
            raise CannotRun("a constant that other nodes also read would be stored twice")
        return other

    other, reason = changed(proto, change, proof)
    if reason:
        notes.append(f"Einsums by constants stay in float: {reason}")
    elif refused:
        why = "; ".join(f"{name} ({words})" for name, words in list(refused.items())[:_NAMED])
        more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        notes.append(f"Einsums that stay in float, because they are no product by one matrix: {why}{more}")
    if other is not proto and (count := _einsums(proto) - _einsums(other)):
        notes.append(f"{counted(count, 'Einsum')} by a constant written as a matrix product")
    return other


def _einsums(proto: "ModelProto") -> int:
    return sum(node.op_type == "Einsum" for node in proto.graph.node)


def _fold(proto: "ModelProto", proof: Proof, notes: list[str]) -> "ModelProto":
    if computes_in_halves(proto):
        notes.append(
            "not simplified: a float16 graph would be filled with casts for this CPU; int8 takes a model exported in float32"
        )
        return proto
    computed: tuple[str, ...] = ()

    def change(model: "ModelProto") -> "ModelProto":
        nonlocal computed
        other, computed = folded(model)
        if foreign := foreign_operators(model, other):
            raise CannotRun(f"it would add {', '.join(sorted(foreign))}")
        if grown(model, other):
            raise CannotRun(f"it would grow from {message_bytes(model):,} to {message_bytes(other):,} bytes")
        return other

    other, reason = changed(proto, change, proof)
    if reason:
        notes.append(f"not simplified: {reason}")
        return proto
    if computed:
        notes.append(f"not folded, because storing it would enlarge the file: {_some(computed)}")
    if len(other.graph.node) != len(proto.graph.node):
        notes.append(
            f"constants and batch norms folded: {len(proto.graph.node)} -> {len(other.graph.node)} nodes"
        )
    return other


@dataclass(frozen=True)
class _Moved:
    """`why_not`: why the opset is still one without scales per channel; empty where it is not."""

    proto: "ModelProto"
    why_not: str = ""


def _move_opset(proto: "ModelProto", proof: Proof, notes: list[str]) -> _Moved:
    before, reason = opset_of(proto), ""
    if NEEDED <= before <= NEWEST:
        return _Moved(proto)
    for version in _versions(before):
        other, why_not = changed(proto, partial(moved, version=version), proof)
        if not why_not:
            notes.append(f"opset {before} changed to {version}, outputs unchanged")
            if version >= NEEDED:
                return _Moved(other)
            return _Moved(other, f"it cannot be raised to {NEEDED}: {reason}")
        reason = reason or _named(why_not, proto, version, proof)
    matters = (
        f"per-channel quantization needs {NEEDED}"
        if before < NEEDED
        else f"runtimes that know only {NEWEST} refuse it"
    )
    notes.append(f"opset {before} kept: {reason}; {matters}")
    return _Moved(proto, f"it cannot be raised: {reason}" if before < NEEDED else "")


def _versions(before: int) -> tuple[int, ...]:
    """To try, the best first."""
    if before > NEWEST:
        return (NEWEST,)
    return (WANTED, NEEDED, *(v for v in (DYNAMIC, PER_TENSOR) if before < v))


def _named(why_not: str, proto: "ModelProto", version: int, proof: Proof) -> str:
    """With the operator that cannot be moved."""
    node = culprit(proto, partial(moved, version=version), proof)
    if why_not == OTHER_OUTPUTS:
        return f"{node or 'the model'} would give other values"
    return f"{node}: {why_not}" if node else why_not


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _with_inferred_shapes(proto: "ModelProto") -> "ModelProto":
    """Shapes of the tensors inside, for whoever predicts memory; a graph that cannot be inferred stays as it is."""
    copy = copied(proto)
    try:
        infer_shapes(copy)
    except (
        Exception
    ):  # InferenceError, or RuntimeError by version; the graph has already been run, so it is sound
        return proto
    return copy


def _refusal(proto: "ModelProto", error: CannotRun) -> ModelRefused:
    opset = opset_of(proto)
    if opset < OLDEST:
        return ModelRefused(
            f"the model has opset {opset}, older than onnxruntime knows: {error}",
            f"export it again with opset {NEEDED} to 21; edgeq reads {OLDEST} and up",
        )
    return ModelRefused(
        f"onnxruntime does not load the model (opset {opset}): {error}",
        f"export it again with standard operators and opset {NEEDED} to 21",
    )


def _shapes_text(pins: fixed.Pins) -> str:
    return ", ".join(
        f"{name} {'x'.join('?' if d is None else str(d) for d in shape) or 'scalar'}"
        for name, shape in pins.items()
    )
