"""Weights that are zero stay zero while the others are trained, and in the file; those go that the outputs need least."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from edgeq.train.batches import training_data
from edgeq.train.finetune import Start, finetune
from edgeq.train.options import TrainingOptions
from edgeq.train.sites import sites_of
from edgeq.train.sparse_weights import kept_weights
from edgeq.train.training import Settings
from edgeq.train.weight_quantizer import WeightQuantizer
from tests.train.residual_network import U8, images, network, quantized, weights_of
from tests.train.smaller.graphs import graph

INNER = ("first", "second")


@pytest.mark.parametrize("share", [0.25, 0.8])
def test_so_many_of_the_inner_weights_are_zero_in_the_file(share: float) -> None:
    found = finetune(start(), images(), TrainingOptions(Settings(1.0, 0.001), batch=32, sparsity=share))
    stored = {t.name: numpy_helper.to_array(t) for t in found.model.graph.initializer}
    inner = [stored[site.integers] for site in sites_of(found.model).weights if site.layer in INNER]
    zeros = sum(int((w == 0).sum()) for w in inner) / sum(w.size for w in inner)
    assert len(inner) == 2
    assert share <= zeros < share + 0.05  # some of the others are rounded to zero
    assert found.training.sparsity == share


def test_what_is_left_learns(share: float = 0.7) -> None:
    options = TrainingOptions(Settings(3.0, 0.005), batch=32, sparsity=share)
    training = finetune(start(), images(), options).training
    assert training.best.loss < 0.7 * training.before.loss


def test_without_sparsity_zero_epochs_is_still_post_training_quantization() -> None:
    found = finetune(start(), images(), TrainingOptions(Settings(0.0, 0.001), batch=32))
    before, after = weights_of(start().quantized), weights_of(found.model)
    assert all(np.array_equal(after[name], values) for name, values in before.items())


def test_weights_of_channels_that_are_hardly_there_go_first() -> None:
    model = graph("""(float[1,3,8,8] x) => (float[1,4,8,8] y) {
        a = Conv(x, a_w[8,3,1,1])
        y = Conv(a, y_w[4,8,1,1])
    }""")
    set_all(model, "y_w", 1.0)
    stored = {t.name: t for t in model.graph.initializer}
    small = numpy_helper.to_array(stored["a_w"]).copy()
    small[:4] *= 0.01
    stored["a_w"].CopyFrom(numpy_helper.from_array(small, "a_w"))
    layer = next(node.name for node in model.graph.node if node.output[0] == "y")
    kept = kept_weights(model, weights_of(model), (layer,), 0.5, training_data(images(64)).train)[layer]
    assert not kept[:, :4].any() and kept[:, 4:].all()


def test_every_layer_keeps_a_weight() -> None:
    kept = kept_weights(network(), weights_of(network()), INNER, 0.999, training_data(images(64)).train)
    assert all(mask.any() for mask in kept.values())


def test_a_weight_that_is_gone_gets_no_gradient() -> None:
    weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    kept = torch.arange(12).reshape(4, 3) % 2 == 0
    layer = WeightQuantizer(weight, torch.full((4,), 0.02), 0, -127, 127, kept=kept)
    layer().square().sum().backward()
    assert torch.all(layer().detach()[~kept] == 0) and torch.all(layer.integers()[~kept] == 0)
    assert torch.all(layer.weight.grad[~kept] == 0)


def set_all(model: onnx.ModelProto, name: str, value: float) -> None:
    tensor = next(t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.full(tuple(tensor.dims), value, np.float32), name))


def start() -> Start:
    return Start(quantized(network()), network(), U8, "0" * 64)
