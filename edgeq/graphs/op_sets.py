"""What edgeq knows of each ONNX operator: one table, and the sets of operators that others ask for by name.

weights        has weights, and with them nearly all of a model's work
static, dynamic, blockwise    onnxruntime's quantizer takes the weights with this method
lowered        dynamic int8 takes it as matrix products (passes/recurrent): onnxruntime has no kernel
integer        has a fast 8-bit kernel in onnxruntime: worth a pair of Q and DQ around it
reshapes       gives every value, in the same order
moves          gives every value, in another order
on_integers    gives integers of its input, in the scale of its input, by an 8-bit kernel, signed and unsigned, in
               onnxruntime 1.16 to 1.31 and opsets 13 to 21. ReduceMax has one that errs in 1.16, and behind which
               1.31 leaves a convolution in float.
pair_dropped   onnxruntime itself drops the pair of Q and DQ around it since 1.16, where both have the same numbers
same_rounding  what comes out is rounded as what went in
activation     cuts values off, as the range of a quantized output does
homogeneous    f(s x) = s f(x) for every s > 0, each channel by itself. Clip is not: with its upper bound raised until
               it clipped no calibration sample, MobileNetV2's ReLU6 clipped others, and float itself fell to 46 dB,
               int8 from 16.5 to 15.7 dB.
saturates      maps every number into a short range: most outputs are at one of its ends, whatever rounding did
averages       a mean over an area
norm           over the last axes, times a constant for each value there
own_range      onnxruntime's quantizer gives its output a range of its own, whatever the values on samples
random         draws random numbers
"""

ONNX_DOMAINS = ("", "ai.onnx")

_TABLE = {
    "Conv": "weights static integer",
    "ConvTranspose": "weights",
    "Gemm": "weights static dynamic blockwise integer",
    "MatMul": "weights static dynamic blockwise integer",
    "LSTM": "weights dynamic",
    "GRU": "weights lowered",
    "RNN": "weights lowered",
    "Flatten": "integer reshapes on_integers same_rounding",
    "Identity": "reshapes homogeneous",
    "Reshape": "integer reshapes on_integers pair_dropped same_rounding",
    "Squeeze": "integer reshapes on_integers pair_dropped same_rounding",
    "Unsqueeze": "integer reshapes on_integers pair_dropped same_rounding",
    "Transpose": "integer moves on_integers pair_dropped same_rounding",
    "Expand": "on_integers",
    "Gather": "integer on_integers pair_dropped same_rounding",
    "MaxPool": "integer on_integers pair_dropped same_rounding homogeneous",
    "Pad": "integer on_integers same_rounding",
    "Slice": "integer on_integers same_rounding",
    "Split": "integer same_rounding",
    "Tile": "on_integers",
    "Concat": "integer",
    "Clip": "integer activation same_rounding",
    "Relu": "integer activation same_rounding homogeneous",
    "LeakyRelu": "integer homogeneous",
    "PRelu": "homogeneous",
    "HardSigmoid": "saturates",
    "LogSoftmax": "saturates",
    "Sigmoid": "integer saturates",
    "Softmax": "integer saturates own_range",
    "Tanh": "saturates",
    "AveragePool": "integer averages homogeneous",
    "GlobalAveragePool": "integer averages homogeneous",
    "ReduceMean": "averages",
    "GlobalMaxPool": "homogeneous",
    "Add": "integer",
    "Mul": "integer",
    "Resize": "integer",
    "Where": "integer",
    "LayerNormalization": "norm",
    "RMSNormalization": "norm",
    "SimplifiedLayerNormalization": "norm",
    "Bernoulli": "random",
    "Dropout": "random",
    "Multinomial": "random",
    "RandomNormal": "random",
    "RandomNormalLike": "random",
    "RandomUniform": "random",
    "RandomUniformLike": "random",
}


def _having(trait: str) -> tuple[str, ...]:
    return tuple(operator for operator, traits in _TABLE.items() if trait in traits.split())


HEAVY = _having("weights")
STATIC, DYNAMIC, BLOCKWISE = _having("static"), _having("dynamic"), _having("blockwise")
LOWERED = _having("lowered")
INTEGER_OPERATORS = _having("integer")
RESHAPES = _having("reshapes")
MOVES_VALUES = (*RESHAPES, *_having("moves"))  # and does nothing else
ON_INTEGERS, PAIR_DROPPED = _having("on_integers"), _having("pair_dropped")
SAME_ROUNDING = _having("same_rounding")
ACTIVATIONS = _having("activation")
HOMOGENEOUS = _having("homogeneous")
SATURATES = _having("saturates")
AVERAGES = _having("averages")
NORMS = _having("norm")
OWN_RANGE = _having("own_range")
RANDOM = _having("random")

# Operators that onnxruntime computes on integers, and the ONNX operators that they stand for.
INTEGER_KERNELS = {
    "QLinearConv": "Conv",
    "ConvInteger": "Conv",
    "QLinearMatMul": "MatMul",
    "MatMulInteger": "MatMul",
    "MatMulIntegerToFloat": "MatMul",
    "DynamicQuantizeMatMul": "MatMul",
    "MatMulNBits": "MatMul",
    "QGemm": "Gemm",
    "DynamicQuantizeLSTM": "LSTM",
}
# Those of them with activations that are quantized at run time.
DYNAMIC_KERNELS = (
    "ConvInteger",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
)
# With weights in blocks, or of fewer than 8 bits; their activations may stay in float.
LOW_BIT_KERNELS = ("GatherBlockQuantized", "MatMulBnb4", "MatMulNBits", "QMoE")
FUSED_FLOAT_KERNELS = {
    "FusedConv": "Conv",
    "NhwcFusedConv": "Conv",
    "FusedMatMul": "MatMul",
    "FusedGemm": "Gemm",
}
