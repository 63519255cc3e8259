"""Fixes open dimensions: by --shape, by an example, and a batch axis to 1.

A device runs one sample at a time, and fixed shapes let runtimes plan their memory. What differs between the samples
stays open.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto

Pins = dict[str, tuple[int | None, ...]]

_NONE_DIFFER: Mapping[str, frozenset[int]] = MappingProxyType({})


def left_open(
    model: "ModelProto", inputs: tuple[TensorSpec, ...], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[TensorSpec, ...]:
    """The inputs with what the model and --shape say of their shapes. Raises ModelRefused as `pin` does."""
    found = _said(model, inputs, shapes)
    return tuple(replace(spec, shape=tuple(found[spec.name])) for spec in inputs)


def pin(
    model: "ModelProto",
    inputs: tuple[TensorSpec, ...],
    shapes: Mapping[str, tuple[int, ...]],
    example: tuple[np.ndarray, ...] | None,
    differ: Mapping[str, frozenset[int]] = _NONE_DIFFER,
) -> Pins:
    """A fixed shape for every input, None at the axes that `differ` between samples. Dimensions of one symbolic name get
    one value.

    Raises ModelRefused: an unknown input in `shapes`, one that contradicts the model, or a dimension still open.
    """
    symbols = _symbols(model)
    found = _said(model, inputs, shapes)
    _by_example(found, inputs, example)
    _spread(found, symbols)
    for dims in found.values():
        if dims and dims[0] is None:
            dims[0] = 1
    _spread(found, symbols)
    _refuse_open(found)
    return _without(found, differ, symbols)


def apply(model: "ModelProto", pins: Pins) -> int:
    """Writes the pins into the graph's inputs and every symbol they fix elsewhere; the number of dimensions set."""
    values = {
        symbol: pins[name][axis]
        for name, axes in _symbols(model).items()
        for axis, symbol in enumerate(axes)
        if symbol
    }
    done = 0
    for value in model.graph.input:
        if len(value.type.tensor_type.shape.dim) != len(pins[value.name]):
            value.type.tensor_type.ClearField("shape")
            for _ in pins[value.name]:
                value.type.tensor_type.shape.dim.add()
        for axis, (dim, size) in enumerate(
            zip(value.type.tensor_type.shape.dim, pins[value.name], strict=True)
        ):
            if size is None:
                dim.dim_param = dim.dim_param or f"{value.name}_{axis}"
                continue
            done += not (dim.HasField("dim_value") and dim.dim_value == size)
            dim.dim_value = size
    if done:
        del model.graph.value_info[:]  # they were inferred for open shapes
        for value in model.graph.output:
            for dim in value.type.tensor_type.shape.dim:
                size = values.get(dim.dim_param)
                if size is not None:
                    dim.dim_value = size
    return done


def _said(
    model: "ModelProto", inputs: tuple[TensorSpec, ...], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, list[int | None]]:
    found = {spec.name: list(spec.shape) for spec in inputs}
    rankless = {v.name for v in model.graph.input if not v.type.tensor_type.HasField("shape")}
    _by_user(found, shapes, rankless)
    _refuse_rankless(rankless - set(shapes))
    _spread(found, _symbols(model))
    return found


def _symbols(model: "ModelProto") -> dict[str, list[str]]:
    return {v.name: [d.dim_param for d in v.type.tensor_type.shape.dim] for v in model.graph.input}


def _by_user(
    found: dict[str, list[int | None]], shapes: Mapping[str, tuple[int, ...]], rankless: set[str]
) -> None:
    for name, shape in shapes.items():
        if name not in found:
            raise ModelRefused(
                f"--shape names the input {name!r}, which the model does not have",
                f"its inputs are: {', '.join(found)}",
            )
        given, has = list(shape), found[name]
        if name not in rankless and (
            len(given) != len(has) or any(h not in (None, g) for h, g in zip(has, given, strict=True))
        ):
            raise ModelRefused(
                f"--shape {name}={_text(given)} contradicts the model, whose {name} is {_text(has)}",
                f"only the dimensions marked ? are free: --shape {name}={_text(has)}",
            )
        found[name] = list(given)


def _by_example(
    found: dict[str, list[int | None]], inputs: tuple[TensorSpec, ...], example: tuple[np.ndarray, ...] | None
) -> None:
    """Takes the stored sample's dimensions where it fits, with the batch axis of 1 that it may lack."""
    if example is None or len(example) < len(inputs):
        return
    for spec, array in zip(inputs, example, strict=False):  # what follows the inputs is a label
        dims = found[spec.name]
        for shape in (array.shape, (1, *array.shape)):
            if len(shape) == len(dims) and all(d in (None, s) for d, s in zip(dims, shape, strict=True)):
                found[spec.name] = list(shape)
                break


def _spread(found: dict[str, list[int | None]], symbols: dict[str, list[str]]) -> None:
    known: dict[str, int] = {}
    for name, dims in found.items():
        for symbol, dim in zip(symbols[name], dims, strict=False):
            if symbol and dim is not None and known.setdefault(symbol, dim) != dim:
                raise ModelRefused(
                    f"the dimension {symbol!r} of the model cannot be both {known[symbol]} and {dim} (input {name})",
                    "give these inputs the same size there, with --shape",
                )
    for name, dims in found.items():
        for axis, symbol in enumerate(symbols[name][: len(dims)]):
            if dims[axis] is None and symbol in known:
                dims[axis] = known[symbol]


def _without(
    found: dict[str, list[int | None]], differ: Mapping[str, frozenset[int]], symbols: dict[str, list[str]]
) -> Pins:
    """With the axes that `differ` open again, and every other of the same symbolic name."""
    stay = {symbols[name][axis] for name, axes in differ.items() for axis in axes} - {""}
    named = {name: [*symbols[name], *[""] * len(dims)] for name, dims in found.items()}
    return {
        name: tuple(
            None if axis in differ.get(name, ()) or named[name][axis] in stay else size
            for axis, size in enumerate(dims)
        )
        for name, dims in found.items()
    }


def _refuse_rankless(names: set[str]) -> None:
    if names:
        flags = " ".join(f"--shape {name}=1,?" for name in sorted(names))
        raise ModelRefused(
            f"the model does not give the number of dimensions of {', '.join(sorted(names))}",
            f"give its whole shape: {flags}",
        )


def _refuse_open(found: dict[str, list[int | None]]) -> None:
    still = {name: dims for name, dims in found.items() if None in dims}
    if still:
        flags = " ".join(f"--shape {name}={_text(dims)}" for name, dims in still.items())
        raise ModelRefused(
            f"the model has open dimensions in {', '.join(still)}",
            f"give a number for each ?: {flags}",
        )


def _text(dims: list[int] | list[int | None]) -> str:
    return ",".join("?" if d is None else str(d) for d in dims)
