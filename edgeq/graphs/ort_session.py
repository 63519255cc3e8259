"""Opens onnxruntime sessions on this host that compute what the target computes.

ARM cores and x86 with VNNI add products exactly in 32 bits. Where this host's kernels saturate, the session gets
`session.x64quantprecision`: onnxruntime then stores fixed weights as U8, whose kernels are exact. It is about three times
slower, and float kernels are as they were.
"""

from pathlib import Path
from typing import Any

from .pair_saturation import host_saturates

_EXACT = "session.x64quantprecision"


def ort_session(model: Any, *, threads: int, optimize: bool = True, as_this_host: bool = False) -> Any:
    """An InferenceSession of `model`, a ModelProto, its bytes or the path of a file, on `threads` threads.

    Without `optimize` each operator runs by its own definition. `as_this_host` keeps the host's own integer kernels, for
    a target that saturates like it. Raises whatever onnxruntime raises.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what fails is raised; onnxruntime would print it besides
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    elif not as_this_host and host_saturates():
        options.add_session_config_entry(_EXACT, "1")
    if isinstance(model, (str, Path)):
        content: str | bytes = str(model)
    else:
        content = model if isinstance(model, bytes) else model.SerializeToString()
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
