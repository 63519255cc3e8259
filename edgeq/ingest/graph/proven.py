"""Every change of a graph goes through here: it is kept only if the graph's outputs stay the same.

Compared are the outputs on every example of the samples and on random input. What a change does is for other files.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ingest.graph.trial import CannotRun, Outputs, references, run, runtime_words, same
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto

Example = tuple[np.ndarray, ...] | None
Examples = tuple[Example, ...]
Change = Callable[["ModelProto"], "ModelProto"]

OTHER_OUTPUTS = "its outputs would change"


@dataclass(frozen=True)
class Proof:
    """What a graph gives: pairs of a feed and the outputs for it."""

    known: tuple[tuple[dict[str, np.ndarray], Outputs], ...]

    def refusal(self, candidate: "ModelProto") -> str:
        """Why `candidate` cannot replace the graph; empty where it can."""
        try:
            equal = all(same(expected, run(candidate, feed)) for feed, expected in self.known)
        except CannotRun as error:
            return f"onnxruntime would not run it ({error})"
        return "" if equal else OTHER_OUTPUTS


def proof_of(proto: "ModelProto", inputs: tuple[TensorSpec, ...], examples: Examples) -> Proof:
    """Runs `proto` on the examples and on random input of their shapes. Raises CannotRun where it runs on none of these."""
    known = []
    for example in examples:
        specs = _of_shapes(inputs, example)
        known += references(proto, specs, example)
        if example is not None:
            with suppress(CannotRun):  # random numbers may be none that the graph takes; the example was
                known += references(proto, specs, None)
    return Proof(tuple(known))


def changed(proto: "ModelProto", change: Change, proof: Proof) -> "tuple[ModelProto, str]":
    """What `change` makes of `proto`, which it leaves as it is, and ""; or `proto` itself and why it was not changed.

    A change that fails is none: onnx and numpy raise whatever they like on graphs that nobody thought of.
    """
    try:
        other = change(proto)
    except MemoryError:
        raise
    except Exception as error:
        return proto, runtime_words(error)
    if other is proto:
        return proto, ""
    reason = proof.refusal(other)
    return (proto, reason) if reason else (other, "")


def _of_shapes(inputs: tuple[TensorSpec, ...], example: Example) -> tuple[TensorSpec, ...]:
    """Where inputs are open the example has their whole shapes (varied.py)."""
    if example is None or all(None not in spec.shape for spec in inputs):
        return inputs
    return tuple(replace(spec, shape=array.shape) for spec, array in zip(inputs, example, strict=True))
