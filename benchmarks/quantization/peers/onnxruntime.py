"""onnxruntime's own quantize_static, in what its documentation calls best for an x86 CPU: pre-processed, QDQ, U8S8, per channel."""

from pathlib import Path

FORMAT = "onnx"
WAYS = {"min-max": "W8A8", "percentile": "W8A8"}


def quantizer(way):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, feeds):
            self.feeds = iter(feeds)

        def get_next(self):
            return next(self.feeds, None)

    methods = {"min-max": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}

    def quantize(source: Path, target: Path, feeds):
        prepared = target.with_name("prepared.onnx")
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            Reader(feeds),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=methods[way],
        )
        prepared.unlink()

    return quantize
