"""explain(): a model's quantized candidates for a target, layer by layer, with what is lost where and what was done."""

from pathlib import Path

from edgeq.conversion.finished import open_conversion
from edgeq.errors import BundleRefused, GateFailed
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Conversion, Explained
from edgeq.request.accepts import accepts, keywords
from edgeq.request.finished_bundle import require_nothing_fixed
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, ExplainRequest
from edgeq.workflow.convert import convert


@accepts(ExplainRequest)
def explain(request: ExplainRequest) -> Explained:
    """Explain, layer by layer, the quantized candidates of a model for a target; of a finished .edgeq bundle, those in it.

    What was converted before from the same input is not converted again. A candidate that cannot be analysed is reported and
    spoils no other. Raises as `convert`, but for a failed gate, which is explained, BundleRefused where there is nothing to
    explain, and ConversionFailed where no candidate can be.
    """
    conversion, refused = _converted(request)
    if conversion.plan is None:
        raise BundleRefused(
            f"{conversion.path} does not say how it was planned", "make it again with edgeq convert"
        )
    from edgeq.conversion.explanations import explanations

    return Explained(explanations(conversion, conversion.plan, request.tell), refused)


def _converted(request: ExplainRequest) -> tuple[Conversion, str | None]:
    model = text(request.model)
    if model is not None and model.endswith(".edgeq"):
        require_nothing_fixed(Path(model), request, also=("recipe", "runtime"), sends=False)
        return open_conversion(Path(model), request.tell), None
    try:
        return convert(**keywords(request, ConvertRequest)), None
    except GateFailed as error:
        request.tell(
            Note(
                f"{error.what}; explained nevertheless, as it is without any layer left in float for the gate"
            )
        )
        return convert(**keywords(request, ConvertRequest) | {"refuse": False}), error.what
