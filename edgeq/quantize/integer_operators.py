"""Which operators are worth a Q/DQ pair in a file for onnxruntime."""

# Operators that onnxruntime's CPU provider runs on 8-bit tensors when they stand between DQ and Q. A Q/DQ pair around
# any other operator (LayerNormalization, InstanceNormalization, ConvTranspose, CumSum ...) is only work on top.
INTEGER_OPERATORS = (
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "Relu",
    "Reshape",
    "Resize",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
    "Where",
)
