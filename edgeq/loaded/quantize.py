"""quantize(): a model as it is in a program, quantized and ready to run, in one call."""

import contextlib

from edgeq.loaded.load import load
from edgeq.loaded.model import LoadedModel
from edgeq.request.accepts import accepts, keywords
from edgeq.request.requests import ConvertRequest, QuantizeRequest
from edgeq.workflow.convert import convert


@accepts(QuantizeRequest)
def quantize(request: QuantizeRequest) -> LoadedModel:
    """Convert a model for a target, as `convert` does and with its keywords, and load what becomes of it, as `load` does.

    A torch.nn.Module is exported from a copy: yours keeps its parameters and its mode. The bundle is in edgeq's cache unless
    `output` names a place; `path` of what is returned is that of the bundle. Raises as convert and load.
    """
    made = convert(**keywords(request, ConvertRequest))
    with contextlib.closing(made.bundle):
        return load(made.path, candidate=request.candidate)
