"""torchao's quantization-aware training of an exported graph, with the quantizer for x86: batch norms folded while training."""

import torch
from torch import Tensor, nn
from torchao.quantization import pt2e
from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)


def prepared(net: nn.Module, images: Tensor) -> nn.Module:
    exported = torch.export.export(net, (images,)).module()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config(is_qat=True))
    made = prepare_qat_pt2e(exported, quantizer)
    pt2e.move_exported_model_to_train(made)
    return made
