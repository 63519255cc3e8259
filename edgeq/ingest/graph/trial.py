"""Compares the outputs of two graphs on random input: the check of every change to a graph."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.graphs.ort_session import ort_session
from edgeq.limited.native_call import RunTooLong
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto

# Largest difference allowed, relative to the output's largest value: folding a batch norm into a convolution reorders
# float32 additions, which costs about 1e-6 per layer; a wrong graph is off by far more.
TOLERANCE = {"float64": 1e-6, "float32": 1e-4, "float16": 2e-2}

# Runs that show whether random numbers are drawn: a single one that is 0 or 1 by even chance repeats itself in 1 of 256.
_REPEATS = 8

_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")

Outputs = list[Any]


class CannotRun(Exception):
    """The runtime's own words for why a graph does not load or run."""


def run(model: "ModelProto | str", feed: dict[str, np.ndarray]) -> Outputs:
    """Outputs without any optimisation of the runtime's own; `model` is a path where weights lie outside. Raises CannotRun."""
    try:
        outputs: Outputs = ort_session(model, threads=1, optimize=False).run(None, feed)
        return outputs
    except Exception as error:  # onnxruntime raises a dozen types, protobuf its own
        raise _cannot_run(error) from None


def steady(model: "ModelProto | str", feed: dict[str, np.ndarray]) -> bool:
    """Whether repeated runs of a session give the same outputs. Raises CannotRun."""
    try:
        session = ort_session(model, threads=1, optimize=False)
        first = session.run(None, feed)
        return all(same(first, session.run(None, feed)) for _ in range(_REPEATS))
    except Exception as error:
        raise _cannot_run(error) from None


def _cannot_run(error: Exception) -> Exception:
    """MemoryError where that is what was lacking, and RunTooLong as it is: random input that the graph only does not suit is
    something else.
    """
    if isinstance(error, RunTooLong):
        return error
    words = runtime_words(error)
    short = isinstance(error, MemoryError) or any(said in words for said in _NO_MEMORY)
    return MemoryError(words) if short else CannotRun(words)


def loads(model: "ModelProto | str", weights: "ModelProto | None" = None) -> None:
    """`weights` has the values where `model` is weightless. Raises CannotRun when the runtime does not take the graph."""
    try:
        ort_session(model, threads=1, optimize=False, weights=weights)
    except Exception as error:
        raise _cannot_run(error) from None


def reference(
    model: "ModelProto | str", inputs: tuple[TensorSpec, ...], example: tuple[np.ndarray, ...] | None
) -> tuple[dict[str, np.ndarray], Outputs]:
    """A feed that the graph runs on, and what it gives. Integers mean indices, lengths or rates, which random numbers
    rarely are: the example comes first where it fits, then zeros and ones. Raises CannotRun with the first reason."""
    reason: CannotRun | None = None
    for feed in _feeds(inputs, example):
        try:
            return feed, run(model, feed)
        except CannotRun as error:
            reason = reason or error
    assert reason is not None
    raise reason


def references(
    model: "ModelProto | str", inputs: tuple[TensorSpec, ...], example: tuple[np.ndarray, ...] | None
) -> list[tuple[dict[str, np.ndarray], Outputs]]:
    """As `reference`, on every feed that the graph runs on: a mask of zeros alone hides what it masks."""
    found, reason = [], None
    feeds = _feeds(inputs, example)
    only_floats = all(_numpy_dtype(spec.dtype).kind == "f" for spec in inputs)
    for feed in feeds[:1] if only_floats else feeds:
        try:
            found.append((feed, run(model, feed)))
        except CannotRun as error:
            reason = reason or error
    if reason is not None and not found:
        raise reason
    return found


def same(before: Sequence[object], after: Sequence[object]) -> bool:
    return len(before) == len(after) and all(_close(b, a) for b, a in zip(before, after, strict=True))


def same_values(before: Sequence[object], after: Sequence[object]) -> bool:
    """As `same` where types may be narrower: formats without 64 bits give integers in 32 and doubles as floats."""
    return len(before) == len(after) and same(
        [_as_wide_as(b, a) for b, a in zip(before, after, strict=True)], after
    )


def runtime_words(error: Exception) -> str:
    """What a runtime's message says, without its codes, source files and C++ signatures."""
    text = " ".join((str(error).strip() or type(error).__name__).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", text)
    head, found, tail = text.partition(".cc:") if ".cc:" in text else text.partition(".h:")
    if found:
        node = re.search(r"running (\w+) node\. Name:'([^']*)'", head)
        tail = re.sub(r"^\d+ (?:\S.*?\(.*?\) (?=[A-Z]))?(?:.* was false\. )?", "", tail)
        text = f"{node[1]} {node[2]}: {tail}" if node else tail
    return text[:300]


def _feeds(
    inputs: tuple[TensorSpec, ...], example: tuple[np.ndarray, ...] | None
) -> list[dict[str, np.ndarray]]:
    given: dict[str, np.ndarray] = {}
    if example is not None and len(example) >= len(inputs):
        for spec, array in zip(inputs, example, strict=False):  # what follows the inputs is a label
            if array.size == np.prod([d or 0 for d in spec.shape]) and np.can_cast(
                array.dtype, spec.dtype, "same_kind"
            ):
                # asarray: a scalar's methods give scalars, which the runtime does not take
                given[spec.name] = np.asarray(array.reshape([d or 0 for d in spec.shape]).astype(spec.dtype))
    feeds = []
    for whole in (0, 1):
        rng = np.random.default_rng(0)
        feeds.append({spec.name: given.get(spec.name, _random(spec, rng, whole)) for spec in inputs})
    return feeds


def _random(spec: TensorSpec, rng: np.random.Generator, whole: int) -> np.ndarray:
    shape = tuple(d or 0 for d in spec.shape)
    dtype = _numpy_dtype(spec.dtype)
    if dtype.kind == "f" or spec.dtype in ("bfloat16",):
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    if dtype.kind == "c":
        return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return np.full(shape, whole).astype(dtype)


def _numpy_dtype(name: str) -> np.dtype:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        found: np.dtype = np.dtype(getattr(ml_dtypes, name))
        return found


def _as_wide_as(before: object, after: object) -> object:
    """`before` in the type of `after` where both are integers, or both are reals, and its values fit there."""
    if not (isinstance(before, np.ndarray) and isinstance(after, np.ndarray)):
        return before
    kinds = before.dtype.kind + after.dtype.kind
    if kinds == "ff" and after.dtype.itemsize < before.dtype.itemsize:
        return before.astype(after.dtype)
    if set(kinds) <= {"i", "u"} and np.array_equal(before, before.astype(after.dtype)):
        return before.astype(after.dtype)
    return before


def _close(before: object, after: object) -> bool:
    if not (isinstance(before, np.ndarray) and isinstance(after, np.ndarray)):
        return type(before) is type(after)
    if before.shape != after.shape or before.dtype != after.dtype:
        return False
    if before.dtype.kind != "f":
        return bool(np.array_equal(before, after))
    finite = before[np.isfinite(before)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    limit = TOLERANCE.get(before.dtype.name, 2e-2) * max(largest, 1e-6)
    return bool(np.allclose(before, after, rtol=0, atol=limit, equal_nan=True))
