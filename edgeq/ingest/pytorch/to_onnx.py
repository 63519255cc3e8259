"""An exported program -> ONNX, by torch's own exporter."""

from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.foreign import quiet
from edgeq.ingest.extras import needed
from edgeq.ingest.pytorch.output_names import name_outputs, output_names
from edgeq.ingest.pytorch.traced import Program

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18  # the lowest that the exporter writes without converting


def to_onnx(program: Program) -> "ModelProto":
    """Raises ModelRefused in the exporter's words, ExtraMissing without onnxscript."""
    import torch

    needed("onnxscript", "torch", "converting torch to ONNX")
    try:
        with quiet():  # the exporter reports on itself, of optional packages that it did not find
            converted = torch.onnx.export(
                program.exported, dynamo=True, opset_version=OPSET, external_data=False, verbose=False
            )
    except Exception as error:  # OnnxExporterError wraps the reason
        reason = error.__cause__ or error
        raise ModelRefused(
            f"torch.onnx.export cannot convert the model: {str(reason).strip().splitlines()[0][:300]}",
            "replace the operator it names, or export to ONNX yourself and give the .onnx file",
        ) from error
    model = converted.model_proto
    name_outputs(model, output_names(program.exported))
    return model
