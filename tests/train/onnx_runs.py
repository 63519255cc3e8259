"""What onnxruntime makes of a graph, sample by sample: what the tests of the torch module are compared with."""

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.ort_session import ort_session
from edgeq.train.graph_module import GraphModule


def agree(model, *inputs, within=1e-4):
    """Asserts that the module's outputs for a batch are onnxruntime's for its samples. `inputs` have the samples in front of the
    shape that the graph states. Returns the module.
    """
    module = GraphModule(model)
    compare(module(*batch_of(*inputs)), model, inputs, within)
    return module


def batch_of(*inputs):
    """In the place of a first dimension of one, where that is what samples have."""
    return [torch.from_numpy(x[:, 0] if x.shape[1:2] == (1,) else x) for x in inputs]


def compare(found, model, inputs, within):
    session = ort_session(model, threads=1)
    names = [i.name for i in session.get_inputs()]
    for k in range(len(inputs[0])):
        expected = session.run(None, {name: np.asarray(x[k]) for name, x in zip(names, inputs, strict=True)})
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close = torch.from_numpy(np.asarray(other)).double()
            limit = within * max(float(close.abs().max()) if close.numel() else 0.0, 1e-6)
            own = one[k].detach().double()
            torch.testing.assert_close(own.reshape(close.shape), close, rtol=0, atol=limit)


def single(operator, shapes, stored=None, outputs=1, opset=17, inputs=None, **attributes):
    """A graph of one node, "node". `shapes` are those of its inputs x0, x1, ..., `stored` its constants by name; `inputs` gives an order
    of both.
    """
    stored = stored or {}
    names = [f"x{k}" for k in range(len(shapes))]
    node = helper.make_node(
        operator, inputs or [*names, *stored], [f"y{k}" for k in range(outputs)], name="node", **attributes
    )
    weights = [numpy_helper.from_array(np.asarray(a), n) for n, a in stored.items()]
    given = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(names, shapes, strict=True)
    ]
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in node.output]
    graph = helper.make_graph([node], "one", given, made, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 10
    return model


def normal(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)
