"""GRU and RNN for dynamic int8 on onnxruntime, which has no integer kernel for either.

    ways        which node is split into matrix products, which keeps its kernel on weights stored in 8 bits, and why
    split_gru   a GRU as MatMuls with fixed weights around its steps
    stored      weights as int8 that onnxruntime unpacks once, when it loads the file

What has to be decided here is measured; the figures stand in `ways`.
"""

from edgeq.quantize.passes.recurrent.apply import Treated, treat_recurrent

__all__ = ["Treated", "treat_recurrent"]
