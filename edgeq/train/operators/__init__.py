"""ONNX operators in torch: each module holds operators of one kind, and every function named like an operator is that operator.

Such a function reads its node's attributes, shapes and constants once, and returns what to compute with each batch,
as one of the forms of forms.py. All operator sets from 7 on are read, unless a function says otherwise.
Random operators, sequences, strings and those with a graph inside have no function: such a model is refused.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from onnx import NodeProto

from edgeq.graphs.op_sets import ONNX_DOMAINS
from edgeq.train.forms import Form
from edgeq.train.node import Node

Operator = Callable[[Node], Form]
# Of onnxruntime's own domain: the same operators, for integers of 16 and 4 bits in files below opset 21.
_SAME_IN_MICROSOFT = ("QuantizeLinear", "DequantizeLinear", "Gelu")


def has_counterpart(node: NodeProto) -> bool:
    if node.domain == "com.microsoft":
        return node.op_type in _SAME_IN_MICROSOFT
    return node.domain in ONNX_DOMAINS and node.op_type in operators()


@cache
def operators() -> Mapping[str, Operator]:
    """All there are, by the name of the ONNX operator."""
    modules = (import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__))
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if name[0].isupper() and getattr(function, "__module__", "") == module.__name__
    }
