"""Matches a stored sample to a model's inputs: by name, in order, with the batch axis and the type that the model has.

Nothing is guessed that changes a value: a transposed, wrongly sized or wrongly typed array is refused, saying what fits.
"""

from collections.abc import Mapping

import numpy as np

from edgeq.errors import DataRefused
from edgeq.graphs.input_integers import input_integers
from edgeq.ingest.stored import named
from edgeq.nouns.tensor import TensorSpec

_ALIASES = ("", "x", "input", "inputs", "image", "images", "data", "features", "arr_0")


def match_inputs(
    sample: Mapping[str, np.ndarray], inputs: tuple[TensorSpec, ...], where: str
) -> tuple[np.ndarray, ...]:
    """One array per input, of the input's full shape and type. Raises DataRefused naming array, got and expected."""
    chosen = matching_arrays(sample, inputs, where)
    return tuple(_shaped(sample[key], key, spec, where) for key, spec in zip(chosen, inputs, strict=True))


def is_float_for_integers(array: np.ndarray, spec: TensorSpec) -> bool:
    """Whether floats, or pixels, come for an input that takes quantized integers."""
    other = array.dtype.kind == "f" or array.dtype == np.uint8
    return spec.affine is not None and array.dtype.name != spec.dtype and other


def matching_arrays(
    sample: Mapping[str, np.ndarray], inputs: tuple[TensorSpec, ...], where: str
) -> list[str]:
    """The name of the array for each input, in their order. Raises DataRefused."""
    wanted = [spec.name for spec in inputs]
    if all(name in sample for name in wanted):
        return wanted
    if len(inputs) == 1:
        keys = [k for k in sample if k.lower() in _ALIASES]
        if len(sample) == 1 or len(keys) == 1:
            return keys if len(keys) == 1 else list(sample)
    if len(sample) == len(inputs) and not any(named(k) for k in sample):
        return list(sample)
    missing = [name for name in wanted if name not in sample]
    raise DataRefused(
        f"{where} has no array for the model's input {', '.join(missing)}; it has: {', '.join(k or 'one nameless' for k in sample)}",
        f"name the arrays as the inputs: {', '.join(str(spec) for spec in inputs)}",
    )


def _shaped(array: np.ndarray, key: str, spec: TensorSpec, where: str) -> np.ndarray:
    label = f"{where}: {'array ' + repr(key) if key else 'the sample'}"
    typed = _typed(np.asarray(array), spec, label)
    for shape in (typed.shape, (1, *typed.shape)):
        if len(shape) == len(spec.shape) and all(
            d in (None, s) for d, s in zip(spec.shape, shape, strict=True)
        ):
            return typed.reshape(shape)
    raise DataRefused(
        f"{label} has the shape {_text(typed.shape)}, the input {spec.name} expects {_text(spec.shape)}",
        _shape_remedy(typed.shape, spec),
    )


def _typed(array: np.ndarray, spec: TensorSpec, label: str) -> np.ndarray:
    """The same values in the input's type; floats are quantized where the input has scale and zero_point."""
    own = np.dtype(spec.dtype)
    if spec.affine is not None and is_float_for_integers(array, spec):
        if not np.isfinite(array).all():
            raise DataRefused(
                f"{label} holds NaN or infinite values, for which {spec.name} has no integer",
                "leave such samples out",
            )
        return input_integers(array, own, spec.affine.scale, spec.affine.zero_point)
    # uint8 pixels for a float input, or float64 for float32, are the same values; a float for an index is a mistake.
    if not np.can_cast(array.dtype, own, "same_kind"):
        raise DataRefused(
            f"{label} is {array.dtype}, the input {spec.name} is {own}",
            f"store it as {own}: numpy.asarray(..., numpy.{own})"
            + (f", where {spec.affine}; or the float values as float32" if spec.affine else ""),
        )
    typed = np.asarray(array, own)
    if own.kind in "iu" and array.dtype.kind in "iu" and not (typed == array).all():
        raise DataRefused(
            f"{label} goes from {array.min()} to {array.max()}, which does not fit into the {own} of the input {spec.name}",
            f"store quantized integers, {spec.affine}; or the float values as float32"
            if spec.affine
            else None,
        )
    return typed


def _shape_remedy(got: tuple[int, ...], spec: TensorSpec) -> str:
    expected = tuple(spec.shape)
    bare = got[1:] if len(got) == 4 else got
    if len(bare) == 3 and len(expected) == 4:
        _, a, b, c = expected
        if (bare[2], bare[0], bare[1]) == (a, b, c):
            return "the samples are NHWC and the model is NCHW: --preprocess layout=NCHW for images, or transpose(2, 0, 1)"
        if (bare[1], bare[2], bare[0]) == (a, b, c):
            return "the samples are NCHW and the model is NHWC: --preprocess layout=NHWC for images, or transpose(1, 2, 0)"
        if bare[0] == a and a in (1, 3):
            return f"--preprocess size={b}x{c},layout=NCHW for images, or --shape {spec.name}={','.join(map(str, (1, *bare)))} if the model's size is free"
        if bare[2] == c and c in (1, 3):
            return f"--preprocess size={a}x{b},layout=NHWC for images, or --shape {spec.name}={','.join(map(str, (1, *bare)))} if the model's size is free"
        if 1 in (a, c) and 3 in (bare[0], bare[2]):
            return "the model takes one channel: --preprocess channels=GRAY for images"
    store = f"store each sample as {_text(expected)}, with or without the leading 1"
    if len(expected) in (len(got), len(got) + 1):
        store += (
            "; samples of several shapes need an ONNX model that leaves these dimensions open, and no --shape"
        )
    return store


def _text(shape: tuple[int | None, ...]) -> str:
    return "x".join("?" if d is None else str(d) for d in shape) or "scalar"
