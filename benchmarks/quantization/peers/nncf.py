"""NNCF on ONNX, as it comes, with the slower and better bias correction, and with all that its guide offers for accuracy."""

from pathlib import Path

FORMAT = "onnx"
WAYS = {"default": "W8A8", "full bias correction": "W8A8", "mixed, full bias correction": "W8A8"}


def quantizer(way):
    import nncf
    import nncf.onnx
    import onnx

    preset = nncf.QuantizationPreset.MIXED if way.startswith("mixed") else None

    def quantize(source: Path, target: Path, feeds):
        model = nncf.quantize(
            onnx.load(str(source)),
            nncf.Dataset(feeds),
            preset=preset,
            subset_size=len(feeds),
            fast_bias_correction=way == "default",
        )
        onnx.save(model, str(target))

    return quantize
