"""What tflite-runtime, which ended at 2.14, does not compute as LiteRT does.

Found by running every operator that litert-quantizer takes, quantized, in both: some have no kernel there for these
types, and scales per channel of a FULLY_CONNECTED are read as one, without a word, where activations are float or int16.
"""

from pathlib import Path

from edgeq.quantize.tflite_file import read

_OLDER, _TRIED = "tflite-runtime", "2.14.0"
# By bits of activations; None: they stay float, and are quantized as they come.
_NO_KERNEL = {
    8: ("DIV", "SQRT"),
    16: ("DIV", "GELU", "RSQRT", "SQRT", "SUM"),
    None: ("TRANSPOSE_CONV",),
}


def without_kernel(source: Path, runtime: str, activation_bits: int | None) -> dict[str, str]:
    """The operators of a float file that have to stay in float there, by their first output, and the reason."""
    if runtime != _OLDER:
        return {}
    graph = read(source)
    kind = f"{activation_bits}-bit" if activation_bits else "dynamic int8"
    why = f"{_OLDER} has no {kind} kernel for it"
    left = (o for o in graph.operators if o.kind in _NO_KERNEL[activation_bits])
    return {graph.tensors[o.outputs[0]].name: why for o in left}


def one_scale_for_dense(runtime: str, activation_bits: int | None) -> bool:
    """Whether the weights of a FULLY_CONNECTED must share a scale."""
    return runtime == _OLDER and activation_bits != 8


def oldest_version(path: Path, runtime: str) -> str | None:
    """Of tflite-runtime, for a file with 16-bit activations: the one they were tried with; None where any will do."""
    sixteen = runtime == _OLDER and any(t.type == "INT16" for t in read(path).tensors)
    return _TRIED if sixteen else None
