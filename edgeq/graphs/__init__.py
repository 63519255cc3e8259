"""How graphs are read, changed and run on this host: the one place that walks ONNX graphs and reads flatbuffers.

onnx_index      who produces, consumes and stores each tensor, through bodies and functions
onnx_edit       changes that every room needs: nodes, initializers, free names
onnx_io         files in and out, external data, IR versions and what reads them
op_sets         one table of what is known of each operator
stages          parts of a graph, cut at tensors
ort_session     the one place that constructs onnxruntime sessions
tflite          .tflite files as facts, and as objects to change
tflite_session  the one place that constructs LiteRT interpreters
"""
