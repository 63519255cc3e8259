"""The state of a candidate that passes hand on, the context that each pass is given, and the protocols of passes and backends.

A pass is a module of `passes/` with a NAME, its word in --passes or ALWAYS, a STAGE and `run(quantization, context) -> Quantization`.
It returns a new state, which holds what it decided (`with_result`, `with_changes`), and leaves the one that it was given.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from edgeq.nouns.fidelity import Fidelity, LayerInFloat
from edgeq.nouns.passes import OFF, AppliedChange, PassResult
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.calibration.array_cache import ArrayCache
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.calibration.float_outputs import FloatOutputs
from edgeq.quantize.evaluate.verdict_cache import VerdictCache
from edgeq.quantize.options import Options
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, Split, split_of
from edgeq.quantize.stopwatch import Stopwatch
from edgeq.quantize.weights import Blocks, Weights

if TYPE_CHECKING:
    import onnx


ALWAYS = None
"""The NAME of a pass that --passes cannot switch off."""
PREPARE, AUDIT = "prepare the graph", "read the runtime's graph"
"""Stages as a user sees them: of passes that take less than a second, and of the audit of the finished file."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """`method` and `weight_bits` are the recipe's. `source` is the float file; `model` is its ONNX graph as the passes
    changed it; None for TFLite, whose source no pass changes, and for a source that is deployed unchanged. `trained`: the QDQ file of a network that was trained in its integers.

    Layers are named by node (ONNX) or by first output (TFLite). `in_float`: those that stay in float, with the reason;
    `mixed_precision_layers`: those that mixed precision added. `ranges` of the activations; `float_outputs` on calibration samples, pre-softmax; `weights` to write in place of
    the rounded ones, by layer, and the `weight_changes` that the pass which made them reports (`fit` replaces both, also when
    mixed precision fits again: see passes/fit); `blocks` in place of the
    weights of each product, for block-wise weights. `rewritten`: a pass stored weights as integers already. `int16_clamp`: the
    backend clamps pairs of weights whose products would overflow 16 bits. `recurrent_in_float`: recurrent layers that compute
    in float on stored integers. `changes` to the graph, by pass. `fidelity`: the gate's judgement of the file that was
    `written` last.
    """

    candidate: CandidatePlan
    method: str
    weight_bits: int
    source: Path
    model: "onnx.ModelProto | None" = None
    trained: Path | None = None
    in_float: Mapping[str, str] = field(default_factory=dict)
    mixed_precision_layers: Mapping[str, str] = field(default_factory=dict)
    ranges: Ranges = field(default_factory=dict)
    float_outputs: FloatOutputs | None = None
    calibrator: str | None = None
    weights: Mapping[str, Weights] = field(default_factory=dict)
    weight_changes: tuple[AppliedChange, ...] = ()
    blocks: tuple[Blocks, ...] = ()
    rewritten: bool = False
    int16_clamp: bool = False
    recurrent_in_float: tuple[LayerInFloat, ...] = ()
    changes: Mapping[str, tuple[AppliedChange, ...]] = field(default_factory=dict)
    results: tuple[PassResult, ...] = ()
    fidelity: Fidelity | None = None
    written: "Written | None" = None

    @property
    def format(self) -> str:
        return self.candidate.format

    @property
    def scheme(self) -> Scheme | None:
        return self.candidate.scheme

    @property
    def graph(self) -> "onnx.ModelProto":
        """The ONNX graph, where there is one."""
        assert self.model is not None
        return self.model

    @property
    def has_ranges(self) -> bool:
        """Of its activations, written down: calibrated or trained."""
        return self.method in ("static", "trained")

    @property
    def activation_bits(self) -> int:
        return 16 if self.scheme is not None and self.scheme.activations == "int16" else 8

    @property
    def integer_io(self) -> bool:
        return self.scheme is not None and self.scheme.integer_io

    def keep_in_float(self, layers: Mapping[str, str]) -> "Quantization":
        return replace(self, in_float={**self.in_float, **layers})

    def with_result(self, result: PassResult) -> "Quantization":
        return replace(self, results=(*self.results, result))

    def with_changes(self, name: str, changes: tuple[AppliedChange, ...]) -> "Quantization":
        """Of the pass `name`."""
        return replace(self, changes={**self.changes, name: (*self.changes.get(name, ()), *changes)})


@dataclass(frozen=True)
class Written:
    """A file, and what the backend changed in its graph while it was written."""

    path: Path
    changes: tuple[AppliedChange, ...] = ()


class Backend(Protocol):
    """Turns a quantization into a file."""

    def unsupported(self, q: Quantization) -> Mapping[str, str]:
        """Layers that the runtime has no kernel for, with the reason."""
        return {}

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        """With the layers of `in_float` in float, and those of the state. Without `fitted`: weights rounded to nearest,
        neither fitted nor clamped. Raises ConversionFailed.
        """
        ...

    def refused(self, q: Quantization, context: "Context") -> dict[str, str]:
        """Layers that the quantizer or the runtime refuses, with the reason; found by trying."""
        return {}


@runtime_checkable
class GraphBackend(Backend, Protocol):
    """A backend whose quantized graph is needed before there is a file."""

    def quantized(self, q: Quantization) -> "onnx.ModelProto": ...


@dataclass(frozen=True, eq=False)
class Context:
    """What every pass is given. `samples` are those of calibration; `path` is the file that is written for each try.

    `options` are what the request asks for. `judge` asks the gate about the file at `path`, on the held-out samples;
    `verdicts` caches its judgements. `most_tries` bounds a search that asks the gate; None: the held-out samples are too
    few for any. `runs_as_defined`: the runtime computes of the float graph what it defines. `has_integer_kernels`: whether the runtime computes some layer of the file at `path` on integers.
    `stopwatch` times each pass; a part of a pass that is a `step` of it gets a line of its own.
    """

    options: Options
    samples: SamplesLike | None
    heldout: SamplesLike
    path: Path
    backend: Backend
    progress: Progress
    cache: ArrayCache
    judge: Callable[[Progress], Fidelity]
    verdicts: VerdictCache
    has_integer_kernels: Callable[[Quantization], bool]
    most_tries: int | None = None
    runs_as_defined: bool = True
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def threads(self) -> int:
        return self.options.threads

    @property
    def enabled(self) -> Collection[str]:
        """The names of the passes that may run."""
        return self.options.passes

    @property
    def calibration(self) -> SamplesLike:
        """The samples, for passes that need some."""
        assert self.samples is not None
        return self.samples

    @property
    def split(self) -> Split:
        return split_of(self.calibration)

    def write(self, q: Quantization, in_float: Collection[str] = (), *, fitted: bool = True) -> Written:
        return self.backend.write(q, self.path, in_float, fitted=fitted)


class Pass(Protocol):
    """What a module of `passes/` is. NAME is its word in --passes, listed in edgeq/nouns/passes.py, or ALWAYS. STAGE says to a user what
    it does while it runs.
    """

    @property
    def NAME(self) -> str | None: ...

    @property
    def STAGE(self) -> str: ...

    def run(self, q: Quantization, context: Context) -> Quantization: ...


def module_name(each: Pass) -> str:
    """Within its package: "ranges"."""
    return getattr(each, "__name__", "").rpartition(".")[2]


def run_passes(passes: Sequence[Pass], q: Quantization, context: Context) -> Quantization:
    """The state after all of `passes`, in their order. A pass that is not enabled only leaves the result "switched off"."""
    for each in passes:
        name = each.NAME
        if name is None or name in context.enabled:
            step = name or module_name(each)
            context.progress(each.STAGE, 0.0)  # until the pass reports steps of its own
            with context.stopwatch.step(step):
                q = each.run(q, context)
        else:
            q = q.with_result(PassResult(name, False, OFF))
    return q
