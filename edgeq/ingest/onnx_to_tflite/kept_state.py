"""Refuses a converted graph that would begin each inference with what the one before left.

TFLite's fused recurrent operators keep their state in variable tensors until somebody resets them. An ONNX graph begins each
inference with its own initial state: the first inference of such a file is right, and every one after it is not.
"""

from pathlib import Path

from edgeq.errors import ConversionFailed
from edgeq.graphs.tflite import read_tflite
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER

_STATEFUL = (
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "LSTM",
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
)


def require_no_kept_state(path: Path) -> None:
    """Raises ConversionFailed naming the operator."""
    kind = next((o.kind for o in read_tflite(path).operators if o.kind in _STATEFUL), None)
    if kind is not None:
        raise ConversionFailed(
            f"{CONVERTER} makes {kind} of a recurrent layer, which begins each inference with the state that the one before left",
            "deploy it on onnxruntime, or give its torch source, which is converted without such operators",
        )
