"""ai-edge-quantizer with its own calibration: Google's quantizer of .tflite files."""

from pathlib import Path

FORMAT = "tflite"
WAYS = {"static_wi8_ai8": "W8A8"}


def quantizer(way):
    from ai_edge_quantizer import quantizer as library
    from ai_edge_quantizer import recipe
    from ai_edge_quantizer.utils import tfl_interpreter_utils

    def quantize(source: Path, target: Path, feeds):
        interpreter = tfl_interpreter_utils.create_tfl_interpreter(str(source))
        (signature,) = interpreter.get_signature_list() or (None,)
        work = library.Quantizer(str(source), getattr(recipe, way)())
        ranges = work.calibrate({signature: feeds})
        target.write_bytes(work.quantize(ranges).quantized_model)

    return quantize
