"""An ONNX graph -> TFLite by onnx2tf, which lives in an environment of its own: it needs a Python of 3.12 or 3.13 and pins
every package that it uses.

`convert` is the entry point; nothing outside this folder knows onnx2tf.
"""

from edgeq.ingest.onnx_to_tflite.convert import convert
from edgeq.ingest.onnx_to_tflite.environment import BUILDING, ready
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER, NAME, VERSION

__all__ = ["BUILDING", "CONVERTER", "NAME", "VERSION", "convert", "ready"]
