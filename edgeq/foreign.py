"""Translates errors of onnx, onnxruntime, torch and the LiteRT tools to edgeq's, and silences their log output."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

from edgeq.errors import ConversionFailed, EdgeqError


@contextlib.contextmanager
def as_conversion_failed(what: str, remedy: str | None = None) -> Iterator[None]:
    """Any failure inside becomes ConversionFailed(what), with the library's own words as detail.

    The libraries raise bare Exception, RuntimeError and ValueError as well as their own classes, so the place, not the
    class, says whose error it is: keep nothing but the foreign call inside. Running out of memory stays what it is.
    """
    try:
        yield
    except (EdgeqError, MemoryError):
        raise
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise ConversionFailed(what, remedy, details=(f"{type(error).__name__}: {words[:500]}",)) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences what the converters log and warn about: advice for their own callers, not for ours. C++ libraries write
    it to the descriptor of stderr, past Python; what goes wrong there is raised as well.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
        logging.disable(before)
