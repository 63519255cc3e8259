"""What each command can be asked for. Every option is written down once, as a field with its type, help and rule: those of a
conversion in conversion_options.py, those of a device in device_options.py.

Derived from it: the options of the command line (edgeq/cli/options.py), the keywords of the Python functions and what
help() prints of them (accepts.py), the keys of edgeq.toml (project.py), the key by which a conversion is found again
(edgeq/conversion/conversion_job.py), and what a finished bundle has decided (finished_bundle.py). Imports nothing heavy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

from edgeq.model_name import require_model_name
from edgeq.request.conversion_options import AnyData, AnyModel, ConversionOptions, WithGates, WithSamples
from edgeq.request.device_options import EveryCommand, ForTarget, Measured, OnDevice, WithStore
from edgeq.request.option import NOT_IN_RESULT, argument, option
from edgeq.request.paths import AnyPath
from edgeq.request.training_options import WithTraining


@dataclass(frozen=True, eq=False)
class ConvertRequest(EveryCommand, ConversionOptions, ForTarget):
    model: AnyModel | None = argument(
        "An ONNX, .pt2 or .tflite file, or a torch factory (net.py:build); default: the one of edgeq.toml.",
        in_python="An ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a torch.nn.Module or an onnx.ModelProto.",
        example='"model.onnx"  # .onnx, .tflite, .pt2, or a factory: net.py:build',
        cache_key="contents",
        fixed_by_bundle=False,
    )
    _: KW_ONLY
    output: AnyPath | None = option(
        "The bundle to write, default: NAME.edgeq; or as in `edgeq export`: x.tflite, x.onnx, DIR/.",
        in_python="The bundle to write; default: one in edgeq's cache.",
        flags=("-o", "--output"),
        metavar="PATH",
        **NOT_IN_RESULT,
    )
    unavailable: Mapping[str, str] | None = option(
        "Runtimes that are not available on the device, each with the reason.", only_python=True, toml=None
    )
    one_per_speed: bool = option(
        "With recipe auto: of candidates that run the same kernels the bundle gets only the one that would be chosen.",
        False,
        only_python=True,
        toml=None,
    )
    refuse: bool = option(
        "False: candidates that the gate refuses are written too, for inspection.",
        True,
        only_python=True,
        toml=None,
    )


_CANDIDATE_HERE = (
    "Which candidate, such as litert-float; default: of those whose runtime is installed here the first in the bundle, which "
    "is the one expected to be fastest that passed the gate."
)


@dataclass(frozen=True, eq=False)
class LoadRequest(EveryCommand):
    model: Annotated[Any, "str | PathLike[str]"] = argument(
        "A .edgeq bundle, by its path or as convert returned it; an .onnx or .tflite file; a folder with contract.json, as "
        "export writes it; or a release on a device.",
        required=True,
    )
    _: KW_ONLY
    candidate: str | None = option(_CANDIDATE_HERE, metavar="ID")
    threads: int | None = option(
        "Threads that the model runs with; default: those it was converted for, 1 for a file.", least=1
    )


@dataclass(frozen=True, eq=False)
class QuantizeRequest(ConvertRequest):
    data: AnyData | None = argument(
        "Samples, as convert takes them.",
        position=1,
        in_python="Samples, as convert takes them: an array, (inputs, labels), a DataLoader, a path ...",
    )
    _: KW_ONLY
    candidate: str | None = option(_CANDIDATE_HERE, metavar="ID", toml=None)


def _model_or_bundle(help: str) -> Any:
    in_python = "As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it."
    return argument(help, in_python=in_python)


@dataclass(frozen=True, eq=False)
class ExportRequest(EveryCommand, ConversionOptions):
    model: AnyModel | None = _model_or_bundle(
        "An ONNX, .pt2 or .tflite file, a torch factory (net.py:build) or a finished .edgeq bundle; default: the one "
        "of edgeq.toml."
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
class DataRequest(EveryCommand, WithSamples):
    model: AnyModel | None = argument("As `edgeq convert` takes it.")
    _: KW_ONLY
    ignore_labels: bool | None = option("Check the samples as if they had no labels.")
    sheet: AnyPath | None = option(
        "A PNG to write: the samples as pictures, with label and float's prediction below each.",
        flags=("-o", "--sheet"),
        metavar="PATH",
    )


@dataclass(frozen=True, eq=False)
class FinetuneRequest(EveryCommand, WithTraining, WithSamples, ForTarget):
    model: AnyModel | None = argument(
        "An ONNX or .pt2 file, or a torch factory (net.py:build); default: the one of edgeq.toml.",
        in_python="An ONNX or .pt2 file, a torch factory (net.py:build), a torch.nn.Module or an onnx.ModelProto.",
    )
    _: KW_ONLY
    output: AnyPath | None = option(
        "The weights to write; default: NAME-tuned.pt.", flags=("-o", "--output"), metavar="PATH"
    )
    ignore_labels: bool | None = option("Train as if the samples had no labels.")
    restart: bool = option("Begin anew where an interrupted training would go on.", False)


@dataclass(frozen=True, eq=False)
class ExplainRequest(EveryCommand, ConversionOptions, ForTarget):
    model: AnyModel | None = _model_or_bundle("As `edgeq convert` takes it, or a .edgeq bundle.")


@dataclass(frozen=True, eq=False)
class DeployRequest(WithStore, Measured, ConversionOptions, OnDevice):
    model: AnyModel | None = _model_or_bundle(
        "An ONNX, .pt2 or .tflite file, a torch factory (net.py:build) or a finished .edgeq bundle; default: the one "
        "of edgeq.toml."
    )
    _: KW_ONLY
    keep: int | None = option("How many releases to keep on the device; default: the target's.", least=1)
    measure_again: bool = option("Race again even if this release is already live.", False)
    service: bool = option("Also install the agent as a systemd service on the device.", False)
    dry_run: bool = option("Convert and print what would be sent; change nothing on the device.", False)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Emulation:
    emulate: AnyPath | None = option(
        "The target whose CPU is emulated, by name or as a .toml: one whose file has cpu.qemu (x86-64: AVX2 without "
        "VNNI); default: the target that the bundle was made for.",
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
class VerifyRequest(EveryCommand, WithGates, _Emulation):
    bundle: AnyPath = argument("The .edgeq bundle.", required=True)


@dataclass(frozen=True, eq=False)
class BenchRequest(WithStore, Measured, OnDevice):
    what: Annotated[Any, "str | PathLike[str]"] = argument(
        "Names of live models, or .edgeq bundles to race against each other; default: all that is live.",
        (),
        metavar="[NAME | BUNDLE]...",
        repeatable=True,
    )
    _: KW_ONLY
    threads: int | None = option("Threads the runtime may use; default: the target's.", least=1)
    candidate: str | None = option(
        "Of bundles only this candidate, such as onnxruntime-float; default: all of one bundle, of several the one "
        "expected to be fastest.",
        metavar="ID",
    )


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
    name: str | None = option("Only this model.", metavar="NAME", parse=require_model_name)
    compare: bool = option("Compare the measurements with each other; the first is the reference.", False)
    force: bool = option("Compare even if the conditions differ.", False)
    fetch: bool = option("First fetch the measurements that the service on --host made.", False)
    limit: int = option("Rows to list.", 20, least=1, shows_default=True)


@dataclass(frozen=True, eq=False)
class ReportRequest(WithStore, OnDevice, _Listing):
    measurements: Annotated[Any, "str"] = argument(
        "Measurements by number, or by job or its beginning; default: the newest are listed.",
        (),
        metavar="[NUMBER]...",
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
