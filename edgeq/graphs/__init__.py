"""How an ONNX graph is run on this host, for every room that needs to.

ort_session        the one place that opens an onnxruntime session for judging
pair_saturation    whether onnxruntime's integer kernels saturate on this CPU
"""
