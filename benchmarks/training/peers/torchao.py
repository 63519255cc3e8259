"""torchao's quantization-aware training of an exported graph, with the quantizer for x86: batch norms folded while training."""

from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torchao.quantization import pt2e
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)

SETTINGS = {"W8A8": (("SGD", 0.0001), ("SGD", 0.001))}


def prepared(net: nn.Module, images: Tensor) -> nn.Module:
    exported = torch.export.export(net, (images,)).module()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config(is_qat=True))
    made = prepare_qat_pt2e(exported, quantizer)
    pt2e.move_exported_model_to_train(made)
    return made


def calibrated(net: nn.Module, weights: int, activations: int, images: Tensor) -> nn.Module:
    few = images[:2]
    open_batch = ({0: torch.export.Dim.AUTO},)
    exported = torch.export.export(net.train(), (few,), dynamic_shapes=open_batch).module()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config(is_qat=True))
    made = prepare_qat_pt2e(exported, quantizer)
    set_training(made, False)
    made.apply(pt2e.enable_observer)
    with torch.no_grad():
        for batch in images.split(50):
            made(batch)
    return made.apply(pt2e.disable_observer)


def set_training(net: nn.Module, training: bool) -> None:
    (pt2e.move_exported_model_to_train if training else pt2e.move_exported_model_to_eval)(net)
    # Else ranges would follow the images that it is judged by: its observers look on in evaluation too.
    net.apply(pt2e.enable_observer if training else pt2e.disable_observer)


def freeze_norms(net: nn.Module) -> None:
    set_training(net, False)


def export(net: nn.Module, image: Tensor, path: Path) -> None:
    made = deepcopy(net)
    set_training(made, False)
    made = convert_pt2e(made, fold_quantize=False)
    torch.onnx.export(made, (image,), str(path), dynamo=True, opset_version=18, external_data=False)
