"""Shortcuts of slices and zeros become convolutions, everything else that slices or pads is left alone."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torch.nn import functional

from edgeq.ingest.open_model import open_model
from edgeq.ingest.pytorch.shortcuts import with_convolutions
from edgeq.ingest.request import Request

X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


class Padded(nn.Module):
    def __init__(self, take, pad):
        super().__init__()
        self.take, self.pad = take, pad

    def forward(self, x):
        return functional.pad(self.take(x), self.pad)


def rewritten(module, x=X):
    with torch.no_grad():
        program = torch.export.export(module, (x,), strict=False)
        better, number = with_convolutions(program, (x,))
        assert torch.equal(program.module()(x), better.module()(x))
    return number


@pytest.mark.parametrize(
    ("take", "pad"),
    [
        (lambda x: x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)),
        (lambda x: x[:, :, ::2, ::3], (0, 0, 0, 0, 0, 5)),
        (lambda x: x[..., ::2], (0, 0, 0, 0, 1, 0)),
    ],
)
def test_every_nth_pixel_and_channels_of_zeros(take, pad):
    assert rewritten(Padded(take, pad)) == 1


@pytest.mark.parametrize(
    ("take", "pad"),
    [
        (lambda x: x[:, :, 1::2, ::2], (0, 0, 0, 0, 2, 2)),  # not from the first pixel on
        (lambda x: x[:, :, :6:2, ::2], (0, 0, 0, 0, 2, 2)),  # not to the last
        (lambda x: x[:, ::2, ::2, ::2], (0, 0, 0, 0, 2, 2)),  # channels are left out
        (lambda x: x[:, :, ::2, ::2], (1, 1, 0, 0, 2, 2)),  # pixels are added
        (lambda x: x[:, :, ::2, ::2], (0, 0, 0, 0, -1, 2)),  # channels are cut off
        (lambda x: x, (0, 0, 0, 0, 2, 2)),  # nothing is taken
    ],
)
def test_what_is_no_convolution_is_left(take, pad):
    assert rewritten(Padded(take, pad)) == 0


def test_padding_with_anything_but_zeros_is_left():
    class Ones(nn.Module):
        def forward(self, x):
            return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2), value=1.0)

    assert rewritten(Ones()) == 0


def test_infinities_would_spoil_a_sum_so_they_stay_slices():
    x = X.clone()
    x[0, 0, 0, 0] = torch.inf
    assert rewritten(Padded(lambda x: x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)), x) == 0


def test_the_whole_model_says_so_and_gives_the_same(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "from torch.nn import functional\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))\n"
    )
    model = open_model(Request(f"{tmp_path}/net.py:Net", workdir=tmp_path / "w", shapes={"x": (1, 4, 8, 8)}))
    assert "strided zero-padded shortcuts replaced by equivalent 1x1 convolutions: 1" in model.notes
    session = ort.InferenceSession(model.files["onnx"], providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": X.numpy()})[0]
    assert np.array_equal(found[:, 2:6], X.numpy()[:, :, ::2, ::2])
    assert not found[:, :2].any()
