"""What each command can be asked for. Every option is written down once, as a field with its type, help and rule.

Derived from it: the options of the command line (edgeq/cli/options.py), the keywords of the Python functions and what
help() prints of them (takes.py), the keys of edgeq.toml (project.py), the key by which a conversion is found again
(edgeq/conversion/order.py), and what a finished bundle has decided (finished_bundle.py). Imports nothing heavy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

from edgeq.model_name import require_model_name
from edgeq.nouns.job import Limits
from edgeq.nouns.passes import passes_of
from edgeq.nouns.project import Gates
from edgeq.nouns.states import states_of
from edgeq.nouns.target import Target
from edgeq.request.login import Login
from edgeq.request.option import argument, option
from edgeq.request.paths import AnyPath
from edgeq.request.shapes import Shapes, shapes_of
from edgeq.request.tell import Tell, silence

# Paths, or what a Python program has in memory (edgeq/ingest/given_model.py, given_data.py).
AnyModel = Annotated[Any, "str | PathLike[str] | nn.Module | ModelProto"]
AnyData = Annotated[Any, "str | PathLike[str] | Iterable[Any] | Dataset[Any]"]
# Of an option that is no part of what is converted: where it goes, whom it is told, or what is in the order otherwise.
NO_PART: dict[str, Any] = {"toml": None, "key": None, "decided": False}


@dataclass(frozen=True, eq=False, kw_only=True)
class Told:
    tell: Tell = option(
        "Called with each event as it happens (edgeq/nouns); default: nothing is printed.",
        silence,
        only_python=True,
        **NO_PART,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class WithProject:
    project: AnyPath | None = option(
        "Project file; default: ./edgeq.toml where there is one.",
        metavar="PATH",
        in_python="Project file, whose values replace keywords that are not given; default: none.",
        **NO_PART,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class ForTarget:
    target: AnyPath | Target = option(
        "The kind of device, or a .toml of your own.", "local", metavar="NAME", shows_default=True, **NO_PART
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Device:
    target: AnyPath | None = option(
        "The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle, else local, "
        "this machine.",
        metavar="NAME",
    )
    host: str | None = option(
        "The device: user@address[:port], or an alias of ~/.ssh/config.", metavar="USER@HOST"
    )
    port: int | None = option("SSH port.", least=1, most=65535)
    identity: AnyPath | None = option("SSH private key.", metavar="PATH")
    accept_new_host_key: bool = option("Trust an unknown host key once and remember it.", False)
    root: AnyPath | None = option(
        "edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else ~/.local/share/edgeq.",
        metavar="DIR",
    )
    ask_password: Callable[[str], str] | None = option(
        "Called with the prompt where a password or passphrase is needed; default: the login is refused.",
        only_python=True,
    )
    login: Login | None = option(
        "Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.",
        only_python=True,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class OnDevice(Told, WithProject, _Device):
    """Which device, and how to reach it."""

    @property
    def kind(self) -> AnyPath:
        """The target's name or file."""
        return self.target or "local"


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
        key="contents",
    )
    ignore_labels: bool | None = option(
        "Do not use the labels, for instance because they are not this model's.", toml="gates.ignore_labels"
    )
    gates: Gates | None = option(
        "Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in one object.",
        only_python=True,
        **NO_PART,
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
        key="contents",
    )
    preprocess: str | Mapping[str, object] | None = option(
        PREPROCESS_HELP,
        metavar="SPEC",
        example='"imagenet"  # for images; or "size=224x224,scale=1/255,mean=...,std=..."',
    )
    name: str | None = option(
        "The model's name on the device; default: the file's name, or the function's in lower case.",
        metavar="NAME",
        meaning=require_model_name,
        example='"my-model"  # on the device; default: the model\'s stem',
        of_model=True,
        decided=False,  # a bundle has a name; deploy compares it with this one
    )
    weights: AnyPath | None = option(
        "state_dict for a torch factory such as net.py:build.",
        metavar="PATH",
        example='"state.pt"  # for a torch factory such as "net.py:build"',
        of_model=True,
        key=None,  # what the factory builds of it is in the key
    )
    shape: Shapes | tuple[int, ...] | None = option(
        "Fix an input's open dimensions; repeatable.",
        metavar="NAME=N,N,...",
        repeatable=True,
        in_python='Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1, 3, 224, 224).',
        meaning=shapes_of,
        toml="shapes",
        example="{input = [1, 3, 224, 224]}  # fixes dimensions that the model leaves open",
        of_model=True,
    )


def calibrator_of(name: str | None) -> str:
    return name or "auto"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Source(WithSamples):
    calibrate: int | None = option(
        "How many samples calibrate; the others measure accuracy.",
        least=1,
        example="200  # how many samples calibrate; the others evaluate",
    )
    calibrator: str | None = option(
        "How activation ranges are found; default: auto, the one closest to float for each tensor.",
        choices=("auto", "minmax", "moving_average", "percentile", "mse", "entropy"),
        meaning=calibrator_of,
        toml=None,
    )
    passes: str | None = option(
        "Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but some (-fit,-head).",
        metavar="NAMES",
        meaning=passes_of,
        example='"-head"  # all passes but this one; or "none", or names: see docs/quantization.md',
    )
    repairs: str | None = option(
        "The old name of --passes; goes with the next version.",
        metavar="NAMES",
        hidden=True,
        now="passes",
        meaning=passes_of,
    )
    recipe: str | None = option(
        "Only this recipe (float is always raced too).",
        choices=(
            "float",
            "int8_static",
            "int8_dynamic",
            "int8_blockwise",
            "int4_blockwise",
            "int16x8_static",
            "fp16",
        ),
        toml=None,
        decided=False,
    )
    runtime: str | None = option(
        "Only this runtime.",
        choices=("onnxruntime", "litert", "tflite-runtime"),
        toml=None,
        decided=False,
    )
    integer_io: bool | None = option(
        "Static .tflite files have int8 inputs and outputs, described in their contract.json; default: float.",
        meaning=bool,
        example="true  # int8 .tflite files have int8 inputs and outputs, not float",
    )
    states: str | None = option(
        "Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates then run over the whole sequence with their own states.",
        metavar="PAIRS",
        meaning=states_of,
        example='"hn=h0"  # outputs that are fed back into inputs; "none"; default: by the samples',
        of_model=True,
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
        "Has no effect: --search-tries limits the search.", least=0, hidden=True, **NO_PART
    )
    threads: int | None = option("Threads the runtime may use; default: the target's.", least=1, **NO_PART)


@dataclass(frozen=True, eq=False, kw_only=True)
class ConversionOptions(_Search, WithGates, _Source):
    """How a model becomes candidates."""


@dataclass(frozen=True, eq=False)
class ConvertRequest(Told, WithProject, ConversionOptions, ForTarget):
    model: AnyModel | None = argument(
        "An ONNX, .pt2 or .tflite file, or a torch factory (net.py:build); default: the one of edgeq.toml.",
        in_python="An ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a torch.nn.Module or an onnx.ModelProto.",
        example='"model.onnx"  # .onnx, .tflite, .pt2, or a factory: net.py:build',
        key="contents",
        decided=False,
    )
    _: KW_ONLY
    output: AnyPath | None = option(
        "The bundle to write, default: NAME.edgeq; or as in `edgeq export`: x.tflite, x.onnx, DIR/.",
        in_python="The bundle to write; default: one in edgeq's cache.",
        flags=("-o", "--output"),
        metavar="PATH",
        **NO_PART,
    )
    unavailable: Mapping[str, str] | None = option(
        "Runtimes that are not available on the device, each with the reason.", only_python=True, toml=None
    )
    refuse: bool = option(
        "False: candidates that the gate refuses are written too, for inspection.",
        True,
        only_python=True,
        toml=None,
    )


@dataclass(frozen=True, eq=False)
class ExportRequest(Told, WithProject, ConversionOptions):
    model: AnyModel | None = argument(
        "An ONNX, .pt2 or .tflite file, a torch factory (net.py:build) or a finished .edgeq bundle; default: the one "
        "of edgeq.toml.",
        in_python="As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it.",
    )
    _: KW_ONLY
    output: AnyPath = option(
        "A model file (x.tflite, x.onnx), or a folder (DIR/) for the model, its contract and an example.",
        flags=("-o", "--output"),
        metavar="PATH",
        required=True,
    )
    target: AnyPath | None = option(
        "The kind of device, or a .toml of your own; default: the bundle's own, else local.", metavar="NAME"
    )
    candidate: str | None = option(
        "Which candidate, such as litert-float; default: the one expected to be fastest that passed the gate.",
        metavar="ID",
    )
    force: bool = option("Replace existing files.", False)
    dry_run: bool = option("Convert and print what would be written; write nothing.", False)


@dataclass(frozen=True, eq=False)
class DataRequest(Told, WithProject, WithSamples):
    model: AnyModel | None = argument("As `edgeq convert` takes it.")
    _: KW_ONLY
    ignore_labels: bool | None = option("Check the samples as if they had no labels.")
    sheet: AnyPath | None = option(
        "A PNG to write: the samples as pictures, with label and float's prediction below each.",
        flags=("-o", "--sheet"),
        metavar="PATH",
    )


@dataclass(frozen=True, eq=False)
class ExplainRequest(Told, WithProject, ConversionOptions, ForTarget):
    model: AnyModel | None = argument(
        "As `edgeq convert` takes it, or a .edgeq bundle.",
        in_python="As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it.",
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    seconds: float = option(
        "Measuring time; a race takes up to three times as long.",
        Limits.seconds,
        least=0.5,
        shows_default=True,
    )
    limits: Limits | None = option(
        "Limits(seconds, precision, ...): all limits that end a race.", only_python=True
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class WithStore:
    store: AnyPath | None = option(
        "Where measurements are stored; default: SQLite in your state folder.", metavar="URL"
    )


@dataclass(frozen=True, eq=False)
class DeployRequest(WithStore, Measured, ConversionOptions, OnDevice):
    model: AnyModel | None = argument(
        "An ONNX, .pt2 or .tflite file, a torch factory (net.py:build) or a finished .edgeq bundle; default: the one "
        "of edgeq.toml.",
        in_python="As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it.",
    )
    _: KW_ONLY
    keep: int | None = option("How many releases to keep on the device; default: the target's.", least=1)
    measure_again: bool = option("Race again even if this release is already live.", False)
    service: bool = option("Also install the agent as a systemd service on the device.", False)
    dry_run: bool = option("Convert and print what would be sent; change nothing on the device.", False)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Emulation:
    emulate: AnyPath | None = option(
        "Whose CPU: x86-64 (AVX2 without VNNI), rpi4, rpi5, rpi3 ..., or a .toml with cpu.qemu; default: the target that "
        "the bundle was made for.",
        metavar="TARGET",
    )
    data: AnyData | None = option(
        "Labelled samples of your own, as in `convert`; default: those in the bundle.",
        metavar="SPEC",
        toml=None,
    )
    preprocess: str | None = option(
        "For images, as in `convert`; default: what the bundle says.", metavar="SPEC", toml=None
    )
    calibrate: int | None = option(
        "How many samples of --data calibrated the bundle, if --calibrate was given then.", least=1, toml=None
    )
    samples: int | None = option(
        "How many samples to run on the emulated CPU; default: as many as fit in a minute.", least=1
    )
    candidate: str | Sequence[str] = option(
        "Only this candidate, such as onnxruntime-int8_static; repeatable.",
        (),
        metavar="ID",
        repeatable=True,
        in_python="Only this candidate, such as onnxruntime-int8_static, or these.",
    )
    rootfs: AnyPath | None = option(
        "A file system of the target's architecture with python3; default: the one in edgeq's cache.",
        metavar="DIR",
    )


@dataclass(frozen=True, eq=False)
class VerifyRequest(Told, WithProject, WithGates, _Emulation):
    bundle: AnyPath = argument("The .edgeq bundle.", required=True)


@dataclass(frozen=True, eq=False)
class BenchRequest(WithStore, Measured, OnDevice):
    what: Annotated[Any, "str | PathLike[str]"] = argument(
        "Names of live models, or .edgeq bundles to race against each other; default: all that is live.",
        (),
        repeatable=True,
    )
    _: KW_ONLY
    threads: int | None = option("Threads the runtime may use; default: the target's.", least=1)


@dataclass(frozen=True, eq=False)
class StatusRequest(WithStore, OnDevice):
    name: str | None = argument("Only this model; default: all that are live.")
    _: KW_ONLY
    code: str | None = option(
        "Print a whole program that runs the live model NAME on that device.", choices=("python", "c++")
    )


@dataclass(frozen=True, eq=False)
class RollbackRequest(OnDevice):
    name: str = argument("The model's name on the device.", required=True)
    _: KW_ONLY
    to: str | None = option(
        "A kept release, by the first digits of its digest; default: the one before.", metavar="DIGEST"
    )
    dry_run: bool = option("Print what would go live; change nothing.", False)


@dataclass(frozen=True, eq=False)
class UninstallRequest(OnDevice):
    name: str | None = argument("The model's name on the device; none with everything.")
    _: KW_ONLY
    everything: bool = option("All models, runtimes, results and the agent: the whole folder.", False)
    dry_run: bool = option("Print what would be removed; change nothing.", False)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Listing:
    name: str | None = option("Only this model.", metavar="NAME", meaning=require_model_name)
    compare: bool = option("Compare the measurements with each other; the first is the reference.", False)
    force: bool = option("Compare even if the conditions differ.", False)
    fetch: bool = option("First fetch the measurements that the service on --host made.", False)
    limit: int = option("Rows to list.", 20, least=1, shows_default=True)


@dataclass(frozen=True, eq=False)
class ReportRequest(WithStore, OnDevice, _Listing):
    measurements: Annotated[Any, "str"] = argument(
        "Measurements by number, or by job or its beginning; default: the newest are listed.",
        (),
        repeatable=True,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class DoctorRequest(OnDevice):
    pass


SCOPES = ("system", "user")


@dataclass(frozen=True, eq=False, kw_only=True)
class InstallServiceRequest(OnDevice):
    scope: str = option(
        "system: as user edgeq, hardened, needs sudo; user: as the login, no root needed.",
        "system",
        choices=SCOPES,
        shows_default=True,
    )
    every: str = option(
        "How often what is live is measured: 15min, 1h, 6h, 1d ...",
        "1h",
        metavar="TIME",
        shows_default=True,
    )
    dry_run: bool = option("Print every file with its content and every command; change nothing.", False)


@dataclass(frozen=True, eq=False, kw_only=True)
class _OfService(OnDevice):
    scope: str | None = option("Which service; default: the installed one.", choices=SCOPES)


@dataclass(frozen=True, eq=False, kw_only=True)
class ServiceStatusRequest(_OfService):
    pass


@dataclass(frozen=True, eq=False, kw_only=True)
class ServiceLogRequest(_OfService):
    lines: int = option(
        "How many lines.", 50, least=1, most=10_000, flags=("-n", "--lines"), shows_default=True
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class UninstallServiceRequest(_OfService):
    everything: bool = option("Also remove the deployed models: the whole folder.", False)
    dry_run: bool = option("Print what would be done; change nothing.", False)
