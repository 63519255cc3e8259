"""edgeq: quantize a trained model for the edge device you have, deliver it, measure it there.

The Python API mirrors the command line: `edgeq.convert`, `edgeq.explain`, `edgeq.deploy`, `edgeq.bench` and the rest;
`help(edgeq.convert)` lists every keyword. `edgeq.load` and `edgeq.quantize` return a model to call. All are resolved on first
use, so that `import edgeq` (which the device's agent does too) costs nothing and needs only the standard library.
"""

__version__ = "0.1.0"

_PLACES = {
    "Gates": "nouns.project",
    "Limits": "nouns.job",
    "Login": "request.login",
    "bench": "workflow.bench",
    "convert": "workflow.convert",
    "data": "workflow.data",
    "deploy": "workflow.deploy",
    "doctor": "workflow.doctor",
    "explain": "workflow.explain",
    "export": "workflow.export",
    "finetune": "workflow.finetune",
    "install_service": "workflow.service",
    "load": "loaded.load",
    "quantize": "loaded.quantize",
    "report": "workflow.report",
    "rollback": "workflow.rollback",
    "service_log": "workflow.service",
    "service_status": "workflow.service",
    "status": "workflow.status",
    "uninstall": "workflow.uninstall",
    "uninstall_service": "workflow.service",
    "verify": "workflow.verify",
}
__all__ = ["__version__", *_PLACES]


def __getattr__(name):  # type: ignore[no-untyped-def]
    from importlib import import_module

    if name in _PLACES:
        return getattr(import_module("edgeq." + _PLACES[name]), name)
    if name == "train":  # edgeq.train.prepare, without an import of its own
        return import_module("edgeq.train")
    raise AttributeError("module 'edgeq' has no attribute " + repr(name))


def __dir__():  # type: ignore[no-untyped-def]
    return sorted({*globals(), *__all__})
