"""GRU and RNN for dynamic int8 on onnxruntime, which has no integer kernel for either.

    ways        which node is split into matrix products, which keeps its kernel on weights stored in 8 bits, and why
    split_gru   a GRU as MatMuls with fixed weights around its steps
    stored      weights as int8 that onnxruntime unpacks once, when it loads the file

What has to be decided here is measured; the figures stand in `ways`.
"""

from dataclasses import replace

from edgeq.quantize.passes.recurrent.apply import Treated, treat_recurrent
from edgeq.quantize.quantization import Context, Quantization

__all__ = ["NAME", "Treated", "run", "treat_recurrent"]

NAME = None


def run(q: Quantization, context: Context) -> Quantization:
    found = treat_recurrent(q.graph)
    q = replace(q, model=found.model, rewritten=q.rewritten or found.stored, left=(*q.left, *found.left))
    return q.changed("recurrent", found.remedies)
