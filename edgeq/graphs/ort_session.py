"""Opens onnxruntime sessions on this host that compute what the target computes.

ARM cores and x86 with VNNI add products exactly in 32 bits. Where this host's kernels saturate, the session gets
`session.x64quantprecision`: onnxruntime then stores fixed weights as U8, whose kernels are exact. It is about three times
slower, and float kernels are as they were.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeq.limited.native_call import native_call

from .pair_saturation import host_saturates

_EXACT = "session.x64quantprecision"
_SILENT = 4  # what fails is raised; onnxruntime would print it besides


class Session:
    """What edgeq needs of an InferenceSession. A run ends with Ctrl-C, and after limits.run_seconds()."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def get_inputs(self) -> Any:
        return self._session.get_inputs()

    def get_outputs(self) -> Any:
        return self._session.get_outputs()

    def run(self, names: Sequence[str] | None, feed: Mapping[str, Any]) -> list[Any]:
        """The outputs of these names, or all. Raises RunTooLong, and whatever onnxruntime raises."""
        import onnxruntime as ort

        options = ort.RunOptions()
        options.log_severity_level = _SILENT

        def end() -> None:
            options.terminate = True  # looked at between operators, also inside loops

        found: list[Any] = native_call(lambda: self._session.run(names, feed, options), end=end)
        return found


def ort_session(model: Any, *, threads: int, optimize: bool = True, as_this_host: bool = False) -> Session:
    """A session of `model`, a ModelProto, its bytes or the path of a file, on `threads` threads.

    Without `optimize` each operator runs by its own definition. `as_this_host` keeps the host's own integer kernels, for
    a target that saturates like it. Raises whatever onnxruntime raises.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _SILENT
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    elif not as_this_host and host_saturates():
        options.add_session_config_entry(_EXACT, "1")
    if isinstance(model, (str, Path)):
        content: str | bytes = str(model)
    else:
        content = model if isinstance(model, bytes) else model.SerializeToString()
    return Session(
        native_call(lambda: ort.InferenceSession(content, options, providers=["CPUExecutionProvider"]))
    )
