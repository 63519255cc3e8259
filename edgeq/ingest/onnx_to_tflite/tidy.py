"""Fuses operators that onnx2tf leaves separate and that cost int8: activations, and the two halves of LogSoftmax.

A separate RELU6 computes in float between quantized layers, and the logarithm of an int8 softmax is minus infinity
wherever that rounds to zero. Changes the operators in place; what they compute stays the same.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgeq.ingest.onnx_to_tflite.flat import Flat, code_of, kind_of

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import OperatorT

_ACTIVATIONS = ("RELU", "RELU6")
_TAKE_ACTIVATIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD")
_ONLY_MOVE = ("TRANSPOSE", "RESHAPE")


def tidy(flat: Flat) -> None:
    for operator in list(flat.graph.operators):
        kind = kind_of(flat, operator)
        if kind in _ACTIVATIONS:
            _fuse_activation(flat, operator, kind)
        elif kind == "LOG":
            _fuse_log_softmax(flat, operator)


def _fuse_activation(flat: Flat, activation: "OperatorT", kind: str) -> None:
    """Into the layer before it, through operators that only move elements."""
    chain = list(_before(flat, activation))
    if not chain or kind_of(flat, chain[-1]) not in _TAKE_ACTIVATIONS:
        return
    none = flat.schema.ActivationFunctionType.NONE
    layer = chain[-1]
    if layer.builtinOptions is None or layer.builtinOptions.fusedActivationFunction != none:
        return
    layer.builtinOptions.fusedActivationFunction = getattr(flat.schema.ActivationFunctionType, kind)
    chain[0].outputs = list(activation.outputs)
    _remove(flat, activation)


def _fuse_log_softmax(flat: Flat, log: "OperatorT") -> None:
    softmax = _only_source(flat, log)
    if softmax is None or kind_of(flat, softmax) != "SOFTMAX" or softmax.builtinOptions.beta != 1.0:
        return
    softmax.opcodeIndex = code_of(flat, flat.schema.BuiltinOperator.LOG_SOFTMAX)
    softmax.builtinOptionsType = flat.schema.BuiltinOptions.LogSoftmaxOptions
    softmax.builtinOptions = flat.schema.LogSoftmaxOptionsT()
    softmax.outputs = list(log.outputs)
    _remove(flat, log)


def _before(flat: Flat, operator: "OperatorT") -> "Iterator[OperatorT]":
    """The operators before this one, nearest first, up to the first that does more than move elements."""
    source = _only_source(flat, operator)
    while source is not None:
        yield source
        source = _only_source(flat, source) if kind_of(flat, source) in _ONLY_MOVE else None


def _only_source(flat: Flat, operator: "OperatorT") -> "OperatorT | None":
    """The operator that makes this one's first input, where nobody else takes that."""
    tensor = operator.inputs[0]
    takers = sum(list(other.inputs).count(tensor) for other in flat.graph.operators)
    if takers != 1 or tensor in list(flat.graph.outputs):
        return None
    return next((other for other in flat.graph.operators if tensor in list(other.outputs)), None)


def _remove(flat: Flat, operator: "OperatorT") -> None:
    flat.graph.operators = [other for other in flat.graph.operators if other is not operator]
