from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import save_file

from edgeq.errors import ModelRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.ingest.samples import open_samples
from edgeq.nouns.tensor import TensorSpec

TINY = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, image):
        return self.bn(self.conv(image)).mean((2, 3))

def broken():
    raise RuntimeError("no such dataset")

def value_dependent():
    class Branch(nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x - 1
    return Branch()
"""


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny.py").write_text(TINY)
    return f"{tmp_path}/tiny.py:Tiny"


def state(tiny):
    from edgeq.user_code import load_attribute

    torch.manual_seed(0)
    return load_attribute(tiny, ModelRefused)().state_dict()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}, "epoch": 3},
        lambda s: {"model_state_dict": s, "optimizer": {}},
        lambda s: {"model": {f"_orig_mod.module.{k}": v for k, v in s.items()}},
    ],
)
def test_weights_are_found_however_they_were_saved(wrap, tiny, tmp_path):
    torch.save(wrap(state(tiny)), tmp_path / "w.pt")
    model = open_model(
        Request(tiny, weights=tmp_path / "w.pt", workdir=tmp_path / "work", shapes={"image": (1, 3, 8, 8)})
    )
    assert model.name == "Tiny"
    assert [str(i) for i in model.inputs] == ["image 1x3x8x8 float32"]
    assert model.outputs[0].shape == (1, 4)


def test_weights_of_hugging_face(tiny, tmp_path):
    save_file(state(tiny), tmp_path / "model.safetensors")
    shapes = {"image": (1, 3, 8, 8)}
    saved = open_model(
        Request(tiny, weights=tmp_path / "model.safetensors", workdir=tmp_path / "a", shapes=shapes)
    )
    torch.save(state(tiny), tmp_path / "w.pt")
    assert (
        saved.sha256
        == open_model(Request(tiny, weights=tmp_path / "w.pt", workdir=tmp_path, shapes=shapes)).sha256
    )
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ModelRefused, match="cannot be loaded as weights"):
        open_model(Request(tiny, weights=tmp_path / "model.safetensors", workdir=tmp_path, shapes=shapes))


def test_keys_that_do_not_fit_are_named(tiny, tmp_path):
    other = {k.replace("bn.", "norm."): v for k, v in state(tiny).items()}
    other["conv.bias"] = torch.zeros(5)
    torch.save(other, tmp_path / "w.pt")
    with pytest.raises(ModelRefused) as refused:
        open_model(Request(tiny, weights=tmp_path / "w.pt", workdir=tmp_path, shapes={"image": (1, 3, 8, 8)}))
    assert "missing: bn.weight" in refused.value.details
    assert "unexpected: norm.weight" in refused.value.details
    assert "shape: conv.bias is 5, the model has 4" in refused.value.details


def test_a_checkpoint_that_holds_objects_is_not_run(tiny, tmp_path):
    torch.save({"state_dict": state(tiny), "path": Path("x")}, tmp_path / "w.pt")
    with pytest.raises(
        ModelRefused, match=r"cannot be loaded as weights: it holds pathlib\S* next to the tensors"
    ):
        open_model(Request(tiny, weights=tmp_path / "w.pt", workdir=tmp_path, shapes={"image": (1, 3, 8, 8)}))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07\x12\x07pytorch"])
def test_what_is_no_file_of_weights_is_said_in_words_of_our_own(content, tiny, tmp_path):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(ModelRefused, match="it was not written by torch.save or safetensors") as refused:
        open_model(Request(tiny, weights=tmp_path / "w.pt", workdir=tmp_path, shapes={"image": (1, 3, 8, 8)}))
    assert "weights_only" not in str(refused.value.to_dict())


def test_weights_beside_a_model_that_has_its_own_are_refused(tmp_path):
    with pytest.raises(ModelRefused, match=r"net\.onnx contains its own weights, so w\.pt would not be used"):
        open_model(Request("net.onnx", weights=Path("w.pt"), workdir=tmp_path))


def test_the_shape_comes_from_the_data(tiny, tmp_path):
    sample = np.zeros((3, 10, 10), np.float32)
    model = open_model(Request(tiny, workdir=tmp_path / "work", example=(sample,)))
    assert model.inputs[0].shape == (1, 3, 10, 10)
    assert "no --weights" in model.notes[0]


@pytest.mark.parametrize(
    ("factory", "words"),
    [("broken", "no such dataset"), ("value_dependent", "cannot trace"), ("nothing", "has no 'nothing'")],
)
def test_what_cannot_be_built_says_why(factory, words, tiny, tmp_path):
    with pytest.raises(ModelRefused, match=words):
        open_model(Request(tiny.replace("Tiny", factory), workdir=tmp_path, shapes={"x": (1, 3)}))


def test_without_a_shape_the_flag_is_named(tiny, tmp_path):
    with pytest.raises(ModelRefused) as refused:
        open_model(Request(tiny, workdir=tmp_path))
    assert "--shape image=" in refused.value.remedy
    with pytest.raises(ModelRefused, match="does not have") as refused:
        open_model(Request(tiny, workdir=tmp_path, shapes={"picture": (1, 3, 8, 8)}))
    assert "image" in refused.value.remedy


def test_bare_weights_need_the_code_that_builds_the_model(tmp_path):
    with pytest.raises(ModelRefused, match="holds weights") as refused:
        open_model(Request("resnet.pth", workdir=tmp_path))
    assert "--weights resnet.pth" in refused.value.remedy


def test_a_saved_program_brings_its_own_shape(tiny, tmp_path):
    from edgeq.user_code import load_attribute

    module = load_attribute(tiny, ModelRefused)().eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 9, 9),)), tmp_path / "tiny.pt2")
    model = open_model(Request(str(tmp_path / "tiny.pt2"), workdir=tmp_path / "work"))
    assert model.inputs[0].shape == (1, 3, 9, 9)
    (tmp_path / "bad.pt2").write_bytes((tmp_path / "tiny.pt2").read_bytes()[:500])
    with pytest.raises(ModelRefused, match="not a program"):
        open_model(Request(str(tmp_path / "bad.pt2"), workdir=tmp_path / "work"))


@pytest.mark.data
def test_resnet20_is_as_accurate_as_its_checkpoint(data_dir, tmp_path):
    """91.5 % on test_0 (data README), judged here on the first 200 images."""
    from PIL import Image

    source = f"{Path(__file__).parent.parent}/models/resnet_cifar.py:resnet20"
    weights = data_dir / "cifar10/resnet_torch/resnet20-12fca82f.th"
    model = open_model(Request(source, weights=weights, workdir=tmp_path, shapes={"x": (1, 3, 32, 32)}))
    images = np.asarray(Image.open(data_dir / "cifar10/images/test_0.png")).reshape(1000, 32, 32, 3)[:200]
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    x = ((images / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, labels=np.load(data_dir / "cifar10/images/labels_test_0.npy")[:200])
    samples = open_samples(str(tmp_path / "x.npz"), inputs=(TensorSpec("x", "float32", (1, 3, 32, 32)),))
    session = ort.InferenceSession(model.files["onnx"], providers=["CPUExecutionProvider"])
    right = [
        session.run(None, {"x": a})[0].argmax() == y for (a,), y in zip(samples, samples.labels, strict=True)
    ]
    assert 0.88 < np.mean(right) < 0.96


def test_torch_becomes_tflite_that_gives_the_same(tiny, tmp_path):
    pytest.importorskip("litert_torch", reason='needs edgeq[android]: pip install "edgeq[android]"')
    model = open_model(
        Request(tiny, workdir=tmp_path / "work", shapes={"image": (1, 3, 8, 8)}, formats=("onnx", "tflite"))
    )
    assert set(model.files) == {"onnx", "tflite"}
    assert not model.absent
    again = open_model(Request(model.files["tflite"], workdir=tmp_path / "again", formats=("tflite", "onnx")))
    assert again.inputs[0].shape == (1, 3, 8, 8)
    assert again.quantized is None
    assert "not converted to ONNX" in again.absent["onnx"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "factory", "weights", "shape"),
    [
        ("resnet_cifar.py", "resnet56", "cifar10/resnet_torch/resnet56-4bfd9763.th", (1, 3, 32, 32)),
        ("honk_res8.py", "res8", "speech/honk_res8.pt", (1, 1, 101, 40)),
    ],
)
def test_real_checkpoints_fit_their_architecture(file, factory, weights, shape, data_dir, tmp_path):
    source = f"{Path(__file__).parent.parent}/models/{file}:{factory}"
    inputs = {"x" if file == "resnet_cifar.py" else "mfcc": shape}
    first, second = (
        open_model(Request(source, weights=data_dir / weights, workdir=tmp_path / w, shapes=inputs))
        for w in "ab"
    )
    assert first.sha256 == second.sha256
    assert Path(first.files["onnx"]).read_bytes() == Path(second.files["onnx"]).read_bytes()


RANKS = """
import torch
from torch import nn

def rows():
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))

class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, x):
        return torch.relu(self.conv(x))

class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(16, 8, batch_first=True)
    def forward(self, x):
        return self.lstm(x)[0]
"""


@pytest.mark.parametrize(
    ("factory", "sample", "taken"),
    [
        ("rows", (1, 16), (1, 16)),  # any rank: the samples' own
        ("rows", (20, 16), (20, 16)),
        ("rows", (1, 20, 16), (1, 20, 16)),
        ("rows", (16,), (1, 16)),  # but a product with a vector is none of matrices
        ("Image", (3, 8, 8), (1, 3, 8, 8)),
        ("Image", (1, 3, 8, 8), (1, 3, 8, 8)),
        ("Sequence", (20, 16), (1, 20, 16)),
    ],
)
def test_samples_keep_their_rank_where_the_network_takes_any(factory, sample, taken, tmp_path):
    (tmp_path / "ranks.py").write_text(RANKS)
    example = (np.zeros(sample, np.float32),)
    model = open_model(Request(f"{tmp_path}/ranks.py:{factory}", workdir=tmp_path / "w", example=example))
    assert model.inputs[0].shape == taken


CONSTANTS = """
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, image):
        return self.conv(image) * torch.tensor([1.0, 2.0, 3.0]).repeat(2)

class Counted(Scaled):
    def forward(self, image):
        steps = torch.tensor([1.0, 2.0])
        steps += 1
        return self.conv(image).mean((2, 3)) * steps[0] + steps[1:]

class Branched(Scaled):
    def forward(self, image):
        return self.conv(image.detach()).detach() + torch.as_tensor(0.5)
"""


@pytest.mark.parametrize("factory", ["Scaled", "Counted", "Branched"])
def test_tensors_that_forward_makes_of_numbers_reach_tflite(factory, tmp_path):
    pytest.importorskip("litert_torch", reason='needs edgeq[android]: pip install "edgeq[android]"')
    (tmp_path / "constants.py").write_text(CONSTANTS)
    model = open_model(
        Request(
            f"{tmp_path}/constants.py:{factory}",
            workdir=tmp_path / "work",
            shapes={"image": (1, 3, 8, 8)},
            formats=("onnx", "tflite"),
        )
    )
    assert set(model.files) == {"onnx", "tflite"}, model.absent


NESTED = """Traceback (most recent call last):
  File "convert.py", line 1, in <module>
    return self._op(*args, **kwargs)
RuntimeError: Can't detach views in-place.

While executing %detach_ : [num_users=1]
Original traceback:
File "net.py", line 11, in forward
Use tlparse to see full graph.
"""


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (NESTED, 1, "RuntimeError: Can't detach views in-place."),
        (
            "torch._dynamo.exc.Unsupported: no such call\n  advice\n",
            1,
            "torch._dynamo.exc.Unsupported: no such call",
        ),
        ("NotImplementedError\n", 1, "NotImplementedError"),
        ("terminated by signal\n", -6, "terminated by signal"),
        ("", -9, "exit code -9"),
    ],
)
def test_of_the_converters_traceback_the_error_is_said(said, code, reason):
    from edgeq.ingest.pytorch.to_tflite import _reason

    assert _reason(said, code) == reason


@pytest.mark.parametrize("formats", [("onnx", "tflite"), ("tflite",)])
def test_what_litert_torch_cannot_convert_is_said_where_it_is_lost(formats, tiny, tmp_path, monkeypatch):
    from edgeq.errors import ConversionFailed
    from edgeq.ingest.sources import torch as source

    def fails(program, path):
        raise ConversionFailed(
            "litert-torch cannot convert the model to TFLite: RuntimeError: no", "another way"
        )

    monkeypatch.setattr(source, "_to_tflite", fails)

    def opened():
        return open_model(Request(tiny, workdir=tmp_path, shapes={"image": (1, 3, 8, 8)}, formats=formats))

    if "onnx" not in formats:
        with pytest.raises(ConversionFailed, match="RuntimeError: no"):
            opened()
        return
    model = opened()
    assert "RuntimeError: no" in model.absent["tflite"] and "another way" not in model.absent["tflite"]
    assert any("without LiteRT: litert-torch cannot convert" in note for note in model.notes)


NAMED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, image):
        mask = self.conv(image)
        edge = torch.sigmoid(mask.mean((2, 3)))
        return RETURNED
"""


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        # `mask` is read by the graph too, the order is that of the dict.
        ('{"mask": mask, "edge": edge}', ["mask", "edge"]),
        ('{"edge": edge, "mask": mask}', ["edge", "mask"]),
        # A name that another value of the graph has is not given.
        ('{"image": mask, "edge": edge}', ["conv2d", "edge"]),
        ('{"all": [mask, edge]}', ["conv2d", "sigmoid"]),
        ("(mask, edge)", ["conv2d", "sigmoid"]),
    ],
)
def test_outputs_have_the_keys_of_the_dict_that_forward_returns(returned, names, tmp_path):
    (tmp_path / "net.py").write_text(NAMED.replace("RETURNED", returned))
    model = open_model(
        Request(f"{tmp_path}/net.py:Net", workdir=tmp_path / "work", shapes={"image": (1, 3, 8, 8)})
    )
    assert [output.name for output in model.outputs] == names
    session = ort.InferenceSession(model.files["onnx"], providers=["CPUExecutionProvider"])
    shapes = {o.name: tuple(o.shape) for o in session.get_outputs()}
    mask, edge = names if names[0] != "edge" else names[::-1]
    assert shapes == {mask: (1, 2, 8, 8), edge: (1, 2)}
