"""Turns tensors that forward() creates from numbers into constants that every converter takes.

torch.export records torch.tensor([...]) as a copy of a constant that is then detached in place. Nothing trains here, so
detaching does nothing; litert-torch refuses it on what it takes for a view.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram


def with_plain_constants(program: "ExportedProgram", inputs: "tuple[torch.Tensor, ...]") -> "ExportedProgram":
    """The program with nothing detached and constants copied by clone; itself where it has none of both."""
    import torch

    aten = torch.ops.aten
    detaches = (aten.detach.default, aten.detach_.default)
    module: torch.fx.GraphModule = program.module()
    found = False
    for part in [m for m in module.modules() if isinstance(m, torch.fx.GraphModule)]:
        for node in list(part.graph.nodes):
            if node.target in detaches:
                node.replace_all_uses_with(node.args[0])
                part.graph.erase_node(node)
            elif node.target is aten.lift_fresh_copy.default:
                node.target = aten.clone.default
            else:
                continue
            found = True
        part.recompile()
    return torch.export.export(module, inputs, strict=False) if found else program
