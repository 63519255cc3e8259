"""Says beforehand how much memory a conversion takes where this machine has less of it free: it would swap, or be ended.

    loaded libraries and their heaps   B = 150 MB
    what samples hold between layers   H = 151 MB: of all that layers are fitted to, at most (passes/fit/sample_counts.py)
    weights W in float32               4.5 W: the graph, its copy that is rewritten and its copy that is quantized, or a
                                       session with what its kernels pack
    activations A of one sample        3 A: those that live at once, in an arena that doubles when it grows

By the peaks of `benchmarks.scale`: within 15 % for convolutional networks of 1 to 25 million weights and a transformer of 86 million;
transformers of 5 and 25 million took 18 and 32 % more, one of 1 million nearly twice as much.
"""

from pathlib import Path

from edgeq.graphs.input_shapes import OPEN_SHAPES
from edgeq.graphs.memory import activation_bytes
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Note
from edgeq.report.formats.units import size

_LIBRARIES, _HELD = 150_000_000, 151_000_000
_WEIGHTS, _ACTIVATIONS = 4.5, 3.0


def memory_needed(model: Model) -> int:
    """Bytes at the peak, as estimated. Raises ConversionFailed when the float file cannot be read."""
    format = "onnx" if "onnx" in model.files else next(iter(model.files))
    path = Path(model.files[format])
    shapes = model.varied.largest if model.varied else OPEN_SHAPES
    samples = [tuple(shapes[i.name] for i in model.inputs)] if shapes else []
    activations = activation_bytes(path, format, samples or [()])
    return round(_LIBRARIES + _HELD + _WEIGHTS * model.float_bytes + _ACTIVATIONS * activations)


def memory_note(needed: int, free: int) -> Note | None:
    """Where `needed` is more than is `free`, both in bytes."""
    if needed <= free:
        return None
    return Note(
        f"the conversion takes about {size(needed)} of memory, and {size(free)} are free here: it will be slow, or the "
        "system will end it; close other programs, or convert on a machine with more"
    )
