"""Inputs and outputs of a graph as TensorSpecs: tensors only, without initializers listed as inputs."""

from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


def drop_initializer_inputs(model: "ModelProto") -> int:
    """Removes inputs that are initialisers, as files of IR version 3 list them; the number removed."""
    stored = {i.name for i in model.graph.initializer} | {
        i.values.name for i in model.graph.sparse_initializer
    }
    real = [i for i in model.graph.input if i.name not in stored]
    removed = len(model.graph.input) - len(real)
    if removed:
        del model.graph.input[:]
        model.graph.input.extend(real)
    # Before version 4 every initialiser had to be an input, and tools that read such a file make it one again.
    model.ir_version = max(model.ir_version, 4)
    return removed


def refuse_without_ends(model: "ModelProto") -> None:
    """Raises ModelRefused for a graph without inputs or without outputs."""
    for values, words, verb in (
        (model.graph.input, "inputs", "takes"),
        (model.graph.output, "outputs", "gives"),
    ):
        if not values:
            names = ", ".join(f"{n.op_type} {n.name or n.output[0]!r}" for n in model.graph.node[:3])
            raise ModelRefused(
                f"the model has no {words}: it {verb} nothing ({names})",
                "export it with the tensors that change from run to run as inputs, and its results as outputs",
            )


def inputs_of(model: "ModelProto") -> tuple[TensorSpec, ...]:
    """Raises ModelRefused for an input that is no plain tensor of numbers."""
    return tuple(_spec(v, "input") for v in model.graph.input)


def outputs_of(model: "ModelProto") -> tuple[TensorSpec, ...]:
    return tuple(_spec(v, "output") for v in model.graph.output)


def _spec(value: "ValueInfoProto", role: str) -> TensorSpec:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        words = {
            "sequence_type": "a sequence",
            "optional_type": "optional",
            "map_type": "a map",
            None: "untyped",
        }
        raise ModelRefused(
            f"the {role} {value.name!r} is {words.get(kind, kind)}; edgeq takes models of plain tensors",
            "export the model so that its inputs and outputs are tensors",
        )
    return TensorSpec(value.name, _dtype(value, role), _shape(value))


def _dtype(value: "ValueInfoProto", role: str) -> str:
    from onnx import TensorProto, helper

    code = value.type.tensor_type.elem_type
    if code == TensorProto.STRING:
        raise ModelRefused(
            f"the {role} {value.name!r} holds strings; edgeq takes models of numbers",
            "cut the text processing off the model and leave it to the application",
        )
    try:
        return str(helper.tensor_dtype_to_np_dtype(code).name)
    except (KeyError, ValueError):
        raise ModelRefused(
            f"the {role} {value.name!r} has no known element type (elem_type = {code})"
        ) from None


def _shape(value: "ValueInfoProto") -> tuple[int | None, ...]:
    shape = value.type.tensor_type.shape
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in shape.dim)
