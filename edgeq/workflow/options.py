"""The keywords that convert() takes and deploy() passes on to it."""

from collections.abc import Mapping
from typing import Any, TypedDict

from edgeq.nouns.project import Gates


class ConversionOptions(TypedDict, total=False):
    """All may be left out.

    name          the model's name on the device; default: its stem
    data          samples: an .npz, a folder, or "file.py:function"; part of them calibrates, the rest judges
    preprocess    for images: a text such as "imagenet" or "size=224x224,scale=1/255", or a table of the same keys
    weights       the state_dict file of a torch factory
    shapes        pins what the model leaves open: {"input": (1, 3, 224, 224)}
    calibrate     how many samples calibrate
    calibrator    auto, minmax, percentile, mse or entropy
    recipe        only this one of edgeq/recipes; float comes along for comparison
    runtime       only onnxruntime, litert or tflite-runtime
    gates         how far from float a candidate may be
    threads       for the runtime on the device; default: the target's
    """

    name: str | None
    data: str | None
    preprocess: Any
    weights: str | None
    shapes: Mapping[str, tuple[int, ...]] | None
    calibrate: int | None
    calibrator: str | None
    recipe: str | None
    runtime: str | None
    gates: Gates | None
    threads: int | None
