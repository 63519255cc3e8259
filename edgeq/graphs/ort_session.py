"""The one place that constructs onnxruntime sessions on this host. They compute what the target computes.

ARM cores and x86 with VNNI add products exactly in 32 bits. x86 without VNNI adds pairs of products in 16 bits
(quantize/passes/int16_saturation.py has the formula). Where this host's kernels saturate, the session gets
`session.x64quantprecision`: onnxruntime then stores fixed weights as U8, whose kernels are exact. It is about three times
slower, and float kernels are as they were.
"""

import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

import numpy as np

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.freed_memory import give_back
from edgeq.graphs.onnx_edit import copied, with_weights_of_their_own
from edgeq.graphs.weightless import with_weights
from edgeq.graphs.weights_beside import worth_it, written_beside
from edgeq.limited.jobs import jobs
from edgeq.limited.native_call import native_call, native_calls

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession, NodeArg, SessionOptions

Model = Union["ModelProto", bytes, Path, str]  # the last two: of a file

_EXACT = "session.x64quantprecision"
# onnxruntime makes U8 of a weight once for each layer that reads it, under one name, and fails at the second (1.31, 1.32).
_SHARED = "Attempt to replace the existing tensor"
_SILENT = 4  # what fails is raised; onnxruntime would print it besides

# A product of two small matrices that cannot stay exact in 16 bits: two of these products are 64,770; 16 bits end at 32,767.
_ROWS, _DEPTH, _COLUMNS = 8, 8, 16
_ACTIVATION, _WEIGHT = 255, 127


class Session:
    """What edgeq needs of an InferenceSession. A run ends with Ctrl-C, and after limits.run_seconds()."""

    def __init__(self, session: "InferenceSession") -> None:
        self._session = session

    def get_inputs(self) -> "list[NodeArg]":
        return list(self._session.get_inputs())

    def get_outputs(self) -> "list[NodeArg]":
        return list(self._session.get_outputs())

    def run(self, names: Sequence[str] | None, feed: Mapping[str, Any]) -> list[Any]:
        """The outputs of these names, or all. Raises RunTooLong, and whatever onnxruntime raises."""
        call, end = self._call(names, feed)
        return native_call(call, end=end)

    def run_each(
        self, names: Sequence[str] | None, feeds: Iterable[Mapping[str, Any]]
    ) -> Iterator[list[Any]]:
        """The outputs for each of `feeds`, in their order; as many at the same time as jobs.using says. Raises what `run` does."""
        return native_calls((self._call(names, feed) for feed in feeds), jobs())

    def _call(
        self, names: Sequence[str] | None, feed: Mapping[str, Any]
    ) -> tuple[Callable[[], list[Any]], Callable[[], None]]:
        """A run, and what ends it early."""
        import onnxruntime as ort

        options = ort.RunOptions()
        options.log_severity_level = _SILENT

        def end() -> None:
            options.terminate = True  # looked at between operators, also inside loops

        return lambda: list(self._session.run(names, feed, options)), end


def ort_session(
    model: Model,
    *,
    threads: int,
    optimize: bool = True,
    native_kernels: bool = False,
    weights: "ModelProto | None" = None,
) -> Session:
    """Without `optimize` each operator runs by its own definition. `native_kernels` keeps the host's own integer kernels, for
    a target that saturates like it. `weights` has the values where `model` is weightless (weightless.py). Raises whatever
    onnxruntime raises.
    """
    import onnxruntime as ort

    options = _options(threads)
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    elif not native_kernels and host_saturates():
        options.add_session_config_entry(_EXACT, "1")
        try:
            return Session(_open(model, options, weights))
        except ort.capi.onnxruntime_pybind11_state.Fail as error:
            if _SHARED not in str(error):
                raise
            model, weights = with_weights_of_their_own(_read(model, weights)), None
    return Session(_open(model, options, weights))


def optimized(model: Model, level: Literal["basic", "extended"], *, weights: bool = True) -> "ModelProto":
    """The graph that onnxruntime makes of `model`. "basic" holds on every CPU, "extended" is that of this host's fusions.
    Without `weights` large ones may have no values. Raises whatever onnxruntime raises.
    """
    import onnxruntime as ort

    levels = ort.GraphOptimizationLevel
    options = _options(threads=1)
    options.graph_optimization_level = (
        levels.ORT_ENABLE_BASIC if level == "basic" else levels.ORT_ENABLE_EXTENDED
    )
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        path = Path(folder, "optimized.onnx")
        options.optimized_model_filepath = str(path)
        _session(_content(model, Path(folder)), options)
        return _read_optimized(path, weights)


@functools.cache
def host_saturates() -> bool:
    """Whether onnxruntime's U8 x S8 kernels saturate on this CPU. The runtime is asked itself: flags in /proc/cpuinfo are
    another machine's under an emulator, and which kernels a flag selects is the runtime's business. A millisecond, once
    per process. Raises ConversionFailed when onnxruntime does not run it.
    """
    rows = np.full((_ROWS, _DEPTH), _ACTIVATION, np.uint8)
    with (
        quiet(),
        as_conversion_failed("onnxruntime does not multiply two small integer matrices on this host"),
    ):
        found = ort_session(_integer_product(), threads=1, native_kernels=True).run(None, {"a": rows})[0]
    return bool(np.any(found != _ACTIVATION * _WEIGHT * _DEPTH))


def _options(threads: int) -> "SessionOptions":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _SILENT
    return options


def _open(model: Model, options: "SessionOptions", weights: "ModelProto | None" = None) -> "InferenceSession":
    if isinstance(model, bytes) or not worth_it(_path_or_model(model), weights):
        return _session(_whole(model, weights), options)  # of hundreds of sessions most take no folder
    # Weights that are mapped stay so when their file has no name any more.
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        return _session(_content(model, Path(folder), weights), options)


def _session(content: str | bytes, options: "SessionOptions") -> "InferenceSession":
    import onnxruntime as ort

    give_back()  # what sessions before it left: this one takes blocks of other sizes
    session: InferenceSession = native_call(
        lambda: ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    )
    give_back()  # what was needed to open it
    return session


def _content(model: Model, folder: Path, weights: "ModelProto | None" = None) -> str | bytes:
    """What onnxruntime opens: bytes, or a path; of a large model, in `folder`, with its weights in a file to be mapped."""
    if isinstance(model, bytes):
        return model
    with suppress(OSError):  # no room for it there, for one
        beside = written_beside(_path_or_model(model), folder, weights)
        if beside is not None:
            return str(beside)
    return _whole(model, weights)


def _whole(model: Model, weights: "ModelProto | None") -> str | bytes:
    if isinstance(model, bytes):
        return model
    return str(model) if isinstance(model, (str, Path)) else _read(model, weights).SerializeToString()


def _path_or_model(model: "str | Path | ModelProto") -> "Path | ModelProto":
    return Path(model) if isinstance(model, str) else model


def _read_optimized(path: Path, weights: bool) -> "ModelProto":
    """Weights that were mapped are named in the file as they were, in a file beside it."""
    import onnx

    model = onnx.load(str(path), load_external_data=weights)
    for tensor in model.graph.initializer:
        if tensor.data_location == tensor.DEFAULT:
            tensor.ClearField("data_location")  # onnx writes that it is the usual one
    return model


def _read(model: Model, weights: "ModelProto | None") -> "ModelProto":
    import onnx

    if isinstance(model, bytes):
        return onnx.load_from_string(model)
    if isinstance(model, (str, Path)):
        return onnx.load(model)
    if weights is None:
        return model
    whole = copied(model)
    with_weights(whole, weights)
    return whole


def _integer_product() -> "ModelProto":
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.full((_DEPTH, _COLUMNS), _WEIGHT, np.int8), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [_ROWS, _DEPTH])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [_ROWS, _COLUMNS])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
