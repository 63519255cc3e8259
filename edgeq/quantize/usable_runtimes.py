"""Which runtimes of a target can run a graph of a model, and why not the others."""

from edgeq.errors import ModelRefused, TargetRefused
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Skipped
from edgeq.nouns.target import FORMATS, Target


def usable_runtimes(
    model: Model, target: Target, asked: str | None, unavailable: dict[str, str]
) -> tuple[list[str], list[Skipped]]:
    """In the target's order, one per format. Raises ModelRefused and TargetRefused where there is none."""
    usable: list[str] = []
    skipped: list[Skipped] = []
    formats: dict[str, str] = {}
    for name in (r.name for r in target.runtimes):
        format = FORMATS[name]
        if asked is not None and name != asked:
            why = f"--runtime {asked} was asked for"
        elif name in unavailable:
            why = unavailable[name]
        elif format not in model.files:
            why = model.absent.get(format, f"the source is {model.source_format} and has no {format} graph")
        elif format in formats:
            why = f"runs the same file as {formats[format]}; only used if that has no wheel for the device's Python"
        else:
            usable.append(name)
            formats[format] = name
            continue
        skipped.append(Skipped(name, why))
    if not usable:
        _no_runtime(model, target, asked, unavailable, skipped)
    return usable, skipped


def _no_runtime(
    model: Model, target: Target, asked: str | None, unavailable: dict[str, str], skipped: list[Skipped]
) -> None:
    details = [f"{s.what}: {s.reason}" for s in skipped]
    possible = [r.name for r in target.runtimes if r.name not in unavailable]
    if not possible:
        raise TargetRefused(
            f"no runtime of target {target.name} can be had on this device",
            "use another Python on the device, or another target",
            details=details,
        )
    wanted = asked or possible[0]
    if FORMATS[wanted] == "tflite":
        converts = f"--runtime {wanted} converts it; or " if model.source_format == "onnx" else ""
        raise ModelRefused(
            f"{model.name} is {model.source_format}, and {wanted} on {target.name} needs a TFLite graph",
            f"{converts}give the model as .tflite, or its torch source (file.pt2 or package.module:factory with --weights); "
            "or choose a target that has onnxruntime",
            details=details,
        )
    raise ModelRefused(
        f"{model.name} is {model.source_format}, and {wanted} on {target.name} needs an ONNX graph",
        "give the model as .onnx or its torch source; or choose a target that has LiteRT",
        details=details,
    )
