"""What a test says of a training where only the file counts."""

from edgeq.nouns.plan import Scheme
from edgeq.nouns.training import TrainedFile, Training

NOTHING_COUNTED = Training(
    source_sha256="",
    data_sha256="",
    scheme=Scheme("int8", "int8", per_channel=True),
    weight_bits=8,
    activation_bits=8,
    low_bit_layers=(),
    samples=0,
    validated=0,
    epochs=0.0,
    step=0,
    steps=0,
    before=None,
    best=None,
    scored_by="",
    float_score=None,
    seconds=0.0,
)


def trained_file(
    onnx: object, tflite: object = "", why_no_tflite: str = "", variant: str = ""
) -> TrainedFile:
    return TrainedFile(str(onnx), NOTHING_COUNTED, variant, str(tflite), why_no_tflite)
