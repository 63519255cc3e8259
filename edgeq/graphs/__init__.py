"""How graphs are read, changed and run on this host: the one place that walks ONNX graphs and reads flatbuffers.

onnx_index              who produces, consumes and stores each tensor, through bodies and functions
onnx_edit               changes that other packages share: nodes, initializers, free names, nodes in place of one
onnx_io                 files in and out, external data, IR versions and what reads them
float_graph             the float ONNX graph as every step of quantization reads it
op_sets                 one table of what is known of each operator
unfoldable_activations  Relu and Clip that onnxruntime's quantizer must leave where they are
input_shapes            a graph with open dimensions, for inputs of one shape
macs                    where a model's multiply-accumulates and weights are
memory                  a model's peak memory, from its file alone
stages                  parts of a graph, cut at tensors
ort_session             the one place that constructs onnxruntime sessions
tflite                  .tflite files as facts, and as objects to change
tflite_session          the one place that constructs LiteRT interpreters
"""
