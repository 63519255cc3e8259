"""Whether onnxruntime's U8 x S8 kernels saturate on this CPU.

On x86 without VNNI they add pairs of products in 16 bits (numerics/saturation.py has the formula). The runtime is asked
itself: flags in /proc/cpuinfo are another machine's under an emulator, and which kernels a flag selects is the runtime's
business.
"""

import functools

import numpy as np

from edgeq.foreign import quiet, translated

_ROWS, _DEPTH, _COLUMNS = 8, 8, 16
_ACTIVATION, _WEIGHT = 255, 127  # two such products are 64,770; 16 bits end at 32,767


@functools.cache
def host_saturates() -> bool:
    """One product of two small matrices that cannot stay exact in 16 bits, a millisecond, once per process.

    Raises ConversionFailed when onnxruntime does not run it.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    rows = np.full((_ROWS, _DEPTH), _ACTIVATION, np.uint8)
    with quiet(), translated("onnxruntime does not multiply two small integer matrices on this host"):
        session = ort.InferenceSession(_product(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, {"a": rows})[0]
    return bool(np.any(found != _ACTIVATION * _WEIGHT * _DEPTH))


def _product() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.full((_DEPTH, _COLUMNS), _WEIGHT, np.int8), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [_ROWS, _DEPTH])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [_ROWS, _COLUMNS])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    return bytes(model.SerializeToString())
