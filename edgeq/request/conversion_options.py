"""The options of a conversion, each a field. A new one is in edgeq.toml and in the cache key, and a finished bundle refuses it,
unless it says otherwise (option.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from edgeq.model_name import require_model_name
from edgeq.nouns.passes import passes_of
from edgeq.nouns.project import Gates
from edgeq.nouns.states import states_of
from edgeq.nouns.weight_levels import KINDS, levels_of
from edgeq.quantize.calibration import calibrators
from edgeq.quantize.effort import DEFAULT as DEFAULT_EFFORT
from edgeq.quantize.effort import EFFORTS
from edgeq.request.duration import seconds_of
from edgeq.request.option import NOT_IN_RESULT, option
from edgeq.request.paths import AnyPath
from edgeq.request.shapes import Shapes, shapes_of
from edgeq.request.training_options import WithFinetuning

# Paths, or what a Python program has in memory (edgeq/ingest/given_model.py, given_data.py).
AnyModel = Annotated[Any, "str | PathLike[str] | nn.Module | ModelProto"]
AnyData = Annotated[Any, "str | PathLike[str] | Iterable[Any] | Dataset[Any]"]


@dataclass(frozen=True, eq=False, kw_only=True)
class WithGates:
    """How far from float a candidate may be."""

    max_drop: float | None = option(
        "Largest drop in accuracy; needs labels or --metric; default: 1.0.",
        least=0,
        metavar="POINTS",
        toml="gates.max_drop",
        example="1.0  # points of accuracy that quantization may cost; needs labels",
    )
    confidence: float | None = option(
        "Confidence level: the lower end of the paired interval must be within --max-drop; default: only the measured drop.",
        least=50,
        most=99.9,
        metavar="PERCENT",
        toml="gates.confidence",
        example="95  # percent: the lower end of the paired interval must be within max_drop",
    )
    min_agreement: float | None = option(
        "Lowest top-1 agreement with float; default without labels: 90.",
        least=0,
        most=100,
        metavar="PERCENT",
        toml="gates.min_agreement",
    )
    min_sqnr: float | None = option(
        "Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.",
        metavar="DB",
        toml="gates.min_sqnr_db",
    )
    metric: str | None = option(
        "Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.",
        metavar="FILE.PY:FUNCTION",
        toml="gates.metric",
        example='"score.py:map50"  # (outputs, labels) -> score, for detectors and the rest',
        cache_key="contents",
    )
    ignore_labels: bool | None = option(
        "Do not use the labels, for instance because they are not this model's.", toml="gates.ignore_labels"
    )
    gates: Gates | None = option(
        "Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in one object.",
        only_python=True,
        **NOT_IN_RESULT,
    )


PREPROCESS_HELP = (
    'For images: a preset (none, unit, symmetric, imagenet, caffe), keys ("size=224x224,scale=1/255,mean=..,std=..,'
    'layout=NCHW"), or both ("imagenet,size=192x192"); docs/data.md has each.'
)


@dataclass(frozen=True, eq=False, kw_only=True)
class WithSamples:
    """A model with samples of its input."""

    data: AnyData | None = option(
        "Samples: .npz, a folder of images or .npy files, or file.py:function.",
        metavar="SPEC",
        in_python="Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of arrays by "
        "input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any iterable of samples.",
        example='"calib.npz"  # arrays named as the inputs (and `labels`); or a folder of images, or file.py:function',
        cache_key="contents",
    )
    preprocess: str | Mapping[str, object] | None = option(
        PREPROCESS_HELP,
        metavar="SPEC",
        example='"imagenet"  # for images; or "size=224x224,scale=1/255,mean=...,std=..."',
    )
    name: str | None = option(
        "The model's name on the device; default: the file's name, or the function's in lower case.",
        metavar="NAME",
        parse=require_model_name,
        example='"my-model"  # on the device; default: the model\'s stem',
        model_specific=True,
        fixed_by_bundle=False,  # a bundle has a name; deploy compares it with this one
    )
    weights: AnyPath | None = option(
        "state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.",
        metavar="PATH",
        example='"state.pt"  # for a torch factory such as "net.py:build"',
        model_specific=True,
        cache_key=None,  # what the factory builds of it is in the key
    )
    shape: Shapes | tuple[int, ...] | None = option(
        "Fix an input's open dimensions; repeatable.",
        metavar="NAME=N,N,...",
        repeatable=True,
        in_python='Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1, 3, 224, 224).',
        parse=shapes_of,
        toml="shapes",
        example="{input = [1, 3, 224, 224]}  # fixes dimensions that the model leaves open",
        model_specific=True,
    )


def calibrator_of(name: str | None) -> str:
    return name or "auto"


def effort_of(name: str | None) -> str:
    return name or DEFAULT_EFFORT


def weight_bits_of(bits: float | None) -> float:
    return bits or 8


@dataclass(frozen=True, eq=False, kw_only=True)
class _Source(WithSamples):
    calibrate: int | None = option(
        "How many samples calibrate; the others measure accuracy.",
        least=1,
        example="200  # how many samples calibrate; the others evaluate",
    )
    calibrator: str | None = option(
        "How activation ranges are found; default: auto, the one closest to float for each tensor.",
        choices=("auto", *calibrators.names()),
        parse=calibrator_of,
        toml=None,
    )
    effort: str | None = option(
        "How much work is done to come closer to float (docs/quantization.md); default: default.",
        choices=tuple(EFFORTS),
        parse=effort_of,
        example='"best"  # or "quick": how much work is done to come closer to float',
    )
    weight_bits: float | None = option(
        "Static int8 with weights of so many bits on average, from 2: only smaller to send (docs/wire.md), not faster; with --finetune it is trained with them; with --levels from 1; default: 8.",
        least=1,
        most=8,
        metavar="BITS",
        parse=weight_bits_of,
        example="4  # weights of 4 bits on average, stored as int8: smaller to send, not faster",
    )
    levels: str | None = option(
        "What weights of few bits are: uniform integers; additive powers of two (apot, 2 to 4 bits) or a codebook of each channel (1 to 4), 4 bits "
        "by default; ternary or binary, with a scale. But for uniform ones the first and the last layer keep 8 bits; default: uniform.",
        choices=KINDS,
        parse=levels_of,
        example='"codebook"  # or "apot", "ternary", "binary": what weights of few bits are, stored as int8',
    )
    passes: str | None = option(
        "Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but some (-fit,-head).",
        metavar="NAMES",
        parse=passes_of,
        example='"-head"  # all passes but this one; or "none", or names: see docs/quantization.md',
    )
    repairs: str | None = option(
        "The old name of --passes; goes with the next version.",
        metavar="NAMES",
        hidden=True,
        replaced_by="passes",
        parse=passes_of,
    )
    recipe: str | None = option(
        "Only this recipe (float is always raced too); auto: every one that can be built, and the best within the limits (docs/auto.md).",
        choices=(
            "auto",
            "float",
            "int8_static",
            "int8_dynamic",
            "int8_blockwise",
            "int4_blockwise",
            "int2_blockwise",
            "int16x8_static",
            "fp16",
            "trained_static",
        ),
        toml=None,
        fixed_by_bundle=False,
    )
    runtime: str | None = option(
        "Only this runtime.",
        choices=("onnxruntime", "litert", "tflite-runtime"),
        toml=None,
        fixed_by_bundle=False,
    )
    integer_io: bool | None = option(
        "Static .tflite files have int8 inputs and outputs, described in their contract.json; default: float.",
        parse=bool,
        example="true  # int8 .tflite files have int8 inputs and outputs, not float",
    )
    states: str | None = option(
        "Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates then run over the whole sequence with their own states.",
        metavar="PAIRS",
        parse=states_of,
        example='"hn=h0"  # outputs that are fed back into inputs; "none"; default: by the samples',
        model_specific=True,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Search:
    search_tries: int | None = option(
        "If the gate fails: how many sets of float layers to try to find the smallest that passes; default: 64, fewer for large models. A larger number continues an earlier search.",
        least=0,
        metavar="NUMBER",
        toml=None,
    )
    search_seconds: float | None = option(
        "Has no effect: --search-tries limits the search.", least=0, hidden=True, **NOT_IN_RESULT
    )
    threads: int | None = option(
        "Threads the runtime may use; default: the target's.", least=1, **NOT_IN_RESULT
    )
    jobs: int | None = option(
        "Samples that run at the same time while converting; the result is the same; default: one a core.",
        least=1,
        **NOT_IN_RESULT,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Limits:
    """What a candidate may cost; how much it may lose is a gate (WithGates)."""

    max_latency_ms: float | None = option(
        "Longest median latency on the device; what takes longer does not go live.",
        least=0,
        metavar="MS",
        toml="limits.max_latency_ms",
        example="20  # milliseconds on the device: what takes longer does not go live",
        fixed_by_bundle=False,
    )
    max_bytes: int | None = option(
        "Most bytes of a candidate's file on the wire, compressed (docs/wire.md).",
        least=1,
        metavar="NUMBER",
        toml="limits.max_bytes",
        example="500_000  # of a candidate's file on the wire, compressed",
        fixed_by_bundle=False,
    )
    time_budget: str | None = option(
        "Time for converting, such as 90s, 10m or 1h: what is expected to end later is not made, but float and one quantized candidate are.",
        metavar="TIME",
        parse=seconds_of,
        toml="limits.time_budget",
        example='"10m"  # for converting: the candidates that no longer fit are not made',
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class ConversionOptions(WithFinetuning, _Limits, _Search, WithGates, _Source):
    """How a model becomes candidates."""
