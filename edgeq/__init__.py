"""edgeq: quantize a trained model for the edge device you have, deliver it, measure it there.

The Python API mirrors the command line: `edgeq.convert`, `edgeq.explain`, `edgeq.deploy`, `edgeq.bench` and the rest.
They are resolved on first use, so that `import edgeq` (which the device's agent does too) costs nothing and needs only
the standard library.
"""

__version__ = "0.1.0"
__all__ = ["__version__", "bench", "convert", "deploy", "explain", "rollback", "verify"]

_STORIES = ("bench", "convert", "deploy", "explain", "rollback", "verify")


def __getattr__(name):  # type: ignore[no-untyped-def]
    if name in _STORIES:
        from importlib import import_module

        return getattr(import_module("edgeq.workflow." + name), name)
    raise AttributeError("module 'edgeq' has no attribute " + repr(name))
