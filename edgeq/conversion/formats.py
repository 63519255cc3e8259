"""Which graph formats a conversion aims at: what the target's runtimes load, and what the source can become.

An ONNX source becomes TFLite by a converter in an environment of its own, which is built on first use and takes a
network. Whether it was built before decides nothing here: the same job gives the same candidates.
"""

import os
from collections.abc import Collection, Mapping

from edgeq.conversion.cache import folder
from edgeq.nouns.target import FORMATS, Target
from edgeq.request.paths import AnyPath


def loadable(target: Target, runtime: str | None, unavailable: Collection[str] = ()) -> tuple[str, ...]:
    """The formats that the target's runtimes load, or the requested one does. Those of `unavailable` count only where there
    are no others: the plan then says why.
    """
    wanted = [r.name for r in target.runtimes if runtime in (None, r.name)]
    had = [name for name in wanted if name not in unavailable]
    return tuple(dict.fromkeys(FORMATS[name] for name in had or wanted))


def opened(
    target: Target, runtime: str | None, unavailable: Collection[str] = (), *, trains: bool
) -> tuple[str, ...]:
    """The formats in which a model is opened: an ONNX graph is also what a network is trained by."""
    wanted = loadable(target, runtime, unavailable)
    return (*wanted, "onnx") if trains and "onnx" not in wanted else wanted


def producible(model: str, target: Target, runtime: str | None) -> tuple[str, ...]:
    """Those of them that `model` can be converted to, by its kind."""
    from edgeq.ingest.sources import tflite

    wanted = loadable(target, runtime)
    return tuple(f for f in wanted if f == "tflite") if tflite.claims(model) else wanted


def require_converter(model: AnyPath, formats: Collection[str]) -> None:
    """Raises ExtraMissing where nothing that is installed makes the only format that is wanted of this kind of source."""
    from edgeq.ingest.given_model import GivenModel
    from edgeq.ingest.sources import torch

    is_torch = model.module is not None if isinstance(model, GivenModel) else torch.claims(os.fspath(model))
    if is_torch and tuple(formats) == ("tflite",):
        torch.require_tflite()


def converters(model: str, formats: Collection[str], *, trained: bool = False) -> dict[str, str]:
    """The converters that live in environments of their own and are needed for `formats`, with their versions. A `trained` network
    is an ONNX graph.
    """
    from edgeq.ingest import onnx_to_tflite
    from edgeq.ingest.sources import onnx

    needed = (trained or onnx.claims(model)) and "tflite" in formats
    return {onnx_to_tflite.NAME: onnx_to_tflite.VERSION} if needed else {}


def built_converters(converters: Mapping[str, str]) -> dict[str, str]:
    """Those of them that are there once the model was opened: one that could not be built was not used."""
    from edgeq.ingest import onnx_to_tflite

    return dict(converters) if onnx_to_tflite.ready(folder()) is not None else {}
