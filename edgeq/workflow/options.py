"""The keywords that convert() takes, and those that deploy() takes beside them, with or without a service."""

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from edgeq.nouns.job import Limits
from edgeq.nouns.project import Gates
from edgeq.workflow.paths import AnyPath


class ConversionOptions(TypedDict, total=False):
    """All may be left out; files are named as text or pathlib.Path.

    name          the model's name on the device; default: its stem
    data          samples: an .npz, a folder, or "file.py:function"; part of them calibrates, the rest judges
    preprocess    for images: a text such as "imagenet" or "size=224x224,scale=1/255", or a table of the same keys
    weights       the state_dict file of a torch factory
    shapes        pins what the model leaves open: {"input": (1, 3, 224, 224)}
    calibrate     how many samples calibrate
    calibrator    auto, minmax, moving_average, percentile, mse or entropy
    repairs       which may be used, as --repairs takes them: "all", "none", "fit,head", "-fit"; default: all
    recipe        only this one of edgeq/recipes; float comes along for comparison
    runtime       only onnxruntime, litert or tflite-runtime
    integer_io    static candidates for LiteRT take and give integers; contract.json says for which reals they stand
    states        which outputs are fed back into which inputs: "hn=h0,cn=c0", "none", or "auto": by the samples' values
    gates         how far from float a candidate may be
    search_tries  bound the search for the fewest layers in float, where the gate fails without any; default: 64, fewer
                  (down to 16) for a model whose tries take much work
    search_seconds  has no effect any more: what a clock ends gives other files on other machines
    threads       for the runtime on the device; default: the target's
    """

    name: str | None
    data: AnyPath | None
    preprocess: Any
    weights: AnyPath | None
    shapes: Mapping[str, tuple[int, ...]] | None
    calibrate: int | None
    calibrator: str | None
    repairs: str | None
    search_tries: int | None
    search_seconds: float | None
    recipe: str | None
    runtime: str | None
    integer_io: bool | None
    states: str | None
    gates: Gates | None
    threads: int | None


class DeployOptions(ConversionOptions, total=False):
    """All may be left out.

    limits         bound the race
    keep           how many releases stay on the device; default: the target's
    measure_again  race again though this very release is live
    store          where measurements are kept: a path or URL; default: SQLite in the user's state folder
    """

    limits: Limits
    keep: int | None
    measure_again: bool
    store: AnyPath | None


def of_conversion(options: DeployOptions) -> ConversionOptions:
    """Those that convert() takes."""
    names = ConversionOptions.__annotations__
    return cast(ConversionOptions, {name: value for name, value in options.items() if name in names})


def of_delivery(options: DeployOptions) -> DeployOptions:
    """What is left to say once the bundle is made: how it is brought, raced and kept."""
    names = DeployOptions.__annotations__.keys() - ConversionOptions.__annotations__.keys() | {"threads"}
    return cast(DeployOptions, {name: value for name, value in options.items() if name in names})
