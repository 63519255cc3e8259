"""litert-quantizer, Google's quantizer of .tflite files (ai-edge-quantizer until 0.10), in both of its calibration modes.

The default reads every tensor after each sample, which fails where LiteRT fused one away; the other lets LiteRT watch.
"""

from pathlib import Path

FORMAT = "tflite"
WAYS = {"static_wi8_ai8": "W8A8", "static_wi8_ai8 by profiler": "W8A8"}
_RECIPE = "static_wi8_ai8"


def quantizer(way):
    from litert_quantizer import calibrator, recipe
    from litert_quantizer import quantizer as library
    from litert_quantizer.utils import tfl_interpreter_utils

    modes = calibrator.CalibrationMode
    watched = way.endswith("by profiler")
    mode = modes.CALIBRATION_PROFILER_BASED if watched else modes.CALIBRATION_PRESERVE_ALL_TENSORS

    def quantize(source: Path, target: Path, feeds):
        interpreter = tfl_interpreter_utils.create_tfl_interpreter(str(source))
        (signature,) = interpreter.get_signature_list() or (None,)
        work = library.Quantizer(str(source), getattr(recipe, _RECIPE)())
        ranges = work.calibrate({signature: feeds}, num_threads=1, mode=mode)
        target.write_bytes(work.quantize(ranges).quantized_model)

    return quantize
