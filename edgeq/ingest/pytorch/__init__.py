"""From torch code or an exported program to a checked program, and from that to ONNX and TFLite."""
