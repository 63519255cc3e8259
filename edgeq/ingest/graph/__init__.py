"""From any ONNX graph to the clean one that is quantized: each file is one step, `clean` is their order."""
