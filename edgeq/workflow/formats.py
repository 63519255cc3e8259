"""Which graph formats a conversion aims at: what the target's runtimes load, and what the source can become.

An ONNX source becomes TFLite by a converter in an environment of its own, which takes a network to build. So that
happens where nothing else runs there, or was asked for; elsewhere only if the environment is there already.
"""

from edgeq.nouns.target import FORMATS, Target
from edgeq.workflow.cached import folder


def loaded(target: Target, runtime: str | None) -> tuple[str, ...]:
    """The formats that the target's runtimes load, or the asked one does."""
    wanted = [r.name for r in target.runtimes if runtime in (None, r.name)]
    return tuple(dict.fromkeys(FORMATS[name] for name in wanted))


def possible(model: str, target: Target, runtime: str | None) -> tuple[str, ...]:
    """Those of them that `model` can be brought into, by its kind."""
    from edgeq.ingest.sources import onnx, tflite

    wanted = loaded(target, runtime)
    if tflite.claims(model):
        return tuple(f for f in wanted if f == "tflite")
    if onnx.claims(model) and not onnx.tries_tflite(wanted, folder()):
        return tuple(f for f in wanted if f == "onnx")
    return wanted


def converters(model: str, target: Target, runtime: str | None) -> dict[str, str]:
    """The converters that live in environments of their own and will be used, with their versions."""
    from edgeq.ingest import onnx_to_tflite
    from edgeq.ingest.sources import onnx

    tried = onnx.claims(model) and onnx.tries_tflite(loaded(target, runtime), folder())
    return {onnx_to_tflite.NAME: onnx_to_tflite.VERSION} if tried else {}
