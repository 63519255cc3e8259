"""A .pt2 names the operators that it runs; only those that compute on tensors are run."""

import json
import zipfile

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgeq.errors import ModelRefused  # noqa: E402
from edgeq.ingest.open_model import open_model  # noqa: E402
from edgeq.ingest.pytorch.harmless import refuse_harmful  # noqa: E402
from edgeq.ingest.pytorch.operators import ALLOWED, is_allowed  # noqa: E402
from edgeq.ingest.request import Request  # noqa: E402


class Bytes(nn.Module):
    """Writes a text into a tensor that it made: `aten.zeros` becomes something else in the tests."""

    def __init__(self, text):
        super().__init__()
        self.register_buffer("text", torch.tensor(list(text), dtype=torch.uint8))

    def forward(self, x):
        made = torch.zeros(len(self.text), dtype=torch.uint8)
        made.copy_(self.text)
        return x + made.sum()


def saved(path, module, *inputs, **options):
    torch.export.save(torch.export.export(module.eval(), inputs, strict=False, **options), path)
    return path


def other(path, change):
    """The archive with `change` applied to each node of its graph."""
    out = path.with_name("evil.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if "/models/" in name:
                graph = json.loads(content)
                for node in graph["graph_module"]["graph"]["nodes"]:
                    change(node)
                content = json.dumps(graph).encode()
            new.writestr(name.replace(path.stem + "/", "evil/", 1), content)
    return out


def refused(path, operator):
    with pytest.raises(ModelRefused, match=f"{operator}.*not among the operators that only compute"):
        open_model(Request(str(path), workdir=path.parent / "work"))


@pytest.mark.parametrize("shared", [True, False])
def test_a_program_that_maps_a_file(tmp_path, shared):
    target, text = tmp_path / "written", b"from an untrusted source"

    def change(node):
        if node["target"] == "torch.ops.aten.zeros.default":
            dtype = [i for i in node["inputs"] if i["name"] == "dtype"]
            node["target"] = "torch.ops.aten.from_file.default"
            node["inputs"] = [
                {"name": "filename", "arg": {"as_string": str(target)}, "kind": 1},
                {"name": "shared", "arg": {"as_bool": shared}, "kind": 1},
                {"name": "size", "arg": {"as_int": len(text)}, "kind": 1},
                *dtype,
            ]

    path = other(saved(tmp_path / "plain.pt2", Bytes(text), torch.ones(8)), change)
    refused(path, "from_file")
    assert not target.exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.out",
        "torch.ops.aten.save.default",
        "torch.ops.aten.set_.source_Storage",
        "torch.ops.aten._print.default",
        "torch.ops.aten.warn.default",
        "torch.ops.aten.manual_seed.default",
        "torch.ops.aten.set_grad_enabled.default",
        "torch.ops.aten.resize_.default",
        "torch.ops.aten.data_ptr.default",
        "torch.ops.profiler._record_function_enter_new.default",
        "torch.ops.inductor._alloc_from_pool.default",
        "torch.ops.prims.device_put.default",
        "torch.ops.prims.copy_to.default",
        "torch.ops.higher_order.print",
        "torch.ops.higher_order.call_torchbind",
        "torch.ops.load_library",
        "torch.ops.aten.add.Tensor.__call__",
        "torch.load",
        "torch.os.system",
        "torch.hub.load",
        "torch.sym_max.__globals__",
        "_operator.call",
        "_operator.methodcaller",
        "_operator.attrgetter",
        "_operator.setitem",
        "_operator.getitem.__self__",
        "math.factorial",
        "builtins.print",
        "os.system",
        "#extension",
        "",
    ],
)
def test_operators_that_do_something_else(tmp_path, target):
    def change(node):
        if node["target"].startswith("torch.ops.aten.zeros"):
            node["target"] = target

    refused(
        other(saved(tmp_path / "plain.pt2", Bytes(b"x"), torch.ones(8)), change), target.replace(".", r"\.")
    )


def test_an_operator_inside_a_branch(tmp_path):
    class Branches(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x.cos(), (x,))

    path = saved(tmp_path / "plain.pt2", Branches(), torch.ones(8))
    refuse_harmful(path)
    out = tmp_path / "evil.pt2"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(
                name.replace("plain/", "evil/", 1), old.read(name).replace(b"aten.sin.", b"aten.seed.")
            )
    refused(out, "aten.seed")


def test_every_listed_operator_is_there_and_takes_no_file_storage_or_stream():
    for name in ALLOWED["torch.ops.aten"]:
        packet = getattr(torch.ops.aten, name, None) or getattr(torch.ops.aten, f"{name}_")
        for overload in packet.overloads():
            for argument in getattr(packet, overload)._schema.arguments:
                kind = str(argument.type)
                assert "file" not in argument.name and not any(
                    k in kind for k in ("Storage", "Stream", "QScheme")
                ), (name, overload)
    for name in ALLOWED["torch.ops.prims"]:
        assert hasattr(torch.ops.prims, name), name


def test_a_listed_operator_in_place_counts_as_itself():
    assert is_allowed("torch.ops.aten.relu_.default") and is_allowed("torch.ops.aten.copy_.default")
    assert not is_allowed("torch.ops.aten.set_.source_Tensor") and not is_allowed(
        "torch.ops.aten.relu__.default"
    )


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.inner = kind(6, 5, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.inner(x)[0][:, -1]


class Detector(nn.Module):
    """Anchors from meshgrid, boxes, sorting, gathering, clipping: what stands behind a backbone."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 6, 1)
        )

    def forward(self, x):
        maps = nn.functional.interpolate(
            self.features(x), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        rows, columns = torch.meshgrid(
            torch.arange(maps.shape[2]), torch.arange(maps.shape[3]), indexing="ij"
        )
        boxes = maps.flatten(2).transpose(1, 2)
        scores, order = boxes[..., 4:].softmax(-1).amax(-1).topk(5)
        centres = torch.stack((columns, rows), -1).reshape(1, -1, 2)
        moved = torch.cat((boxes[..., :2].sigmoid() + centres, boxes[..., 2:4].exp().clamp(max=8)), -1)
        return moved.gather(1, order[..., None].expand(-1, -1, 4)), scores


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(20, 8), nn.Parameter(torch.zeros(6, 8))
        self.layers = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True), 2
        )

    def forward(self, tokens):
        return self.layers(self.words(tokens) + self.places[: tokens.shape[1]]).mean(1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Conv2d(4, 4, 1)
        self.norms = nn.ModuleList((nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.BatchNorm2d(4)))

    def forward(self, x):
        y = nn.functional.gelu(self.norms[0](self.first(x)))
        return nn.functional.relu_(x + self.norms[2](self.norms[1](self.second(y)))) * torch.sigmoid(
            y.mean((2, 3), keepdim=True)
        )


class Signals(nn.Module):
    def forward(self, x):
        bands = torch.stft(x, 16, 8, window=torch.hann_window(16), return_complex=True).abs()
        return bands.pow(2).sum(1).log1p().cumsum(-1)


IMAGE = torch.zeros(1, 3, 16, 16)
NETWORKS = {
    "block": (Block(), torch.rand(1, 4, 8, 8)),
    "lstm": (Recurrent(nn.LSTM), torch.rand(1, 7, 6)),
    "gru": (Recurrent(nn.GRU), torch.rand(1, 7, 6)),
    "rnn": (Recurrent(nn.RNN), torch.rand(1, 7, 6)),
    "transformer": (Attention(), torch.zeros(1, 6, dtype=torch.long)),
    "attention": (nn.MultiheadAttention(8, 2, batch_first=True), *[torch.rand(1, 5, 8)] * 3),
    "detector": (Detector(), IMAGE),
    "signals": (Signals(), torch.rand(1, 64)),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.PixelShuffle(2), nn.ReflectionPad2d(1)), IMAGE),
    "activations": (nn.Sequential(*(a() for a in (nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Softshrink, nn.Hardtanh,
                    nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.LogSigmoid, nn.Tanhshrink, nn.Softsign, nn.Dropout, nn.Threshold)
                    if a is not nn.Threshold), nn.Threshold(0.1, 0), nn.GLU()), torch.rand(1, 8)),
    "pools": (nn.Sequential(nn.AvgPool2d(2), nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()), IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("decomposed", [False, True], ids=["as exported", "decomposed"])
def test_real_networks_are_let_in(tmp_path, name, decomposed):
    module, *inputs = NETWORKS[name]
    program = torch.export.export(module.eval(), tuple(inputs), strict=False)
    torch.export.save(program.run_decompositions() if decomposed else program, tmp_path / "net.pt2")
    refuse_harmful(tmp_path / "net.pt2")


def test_a_free_batch_and_loops_are_let_in(tmp_path):
    class Loops(nn.Module):
        def forward(self, x):
            def more(i, v):
                return i < 3

            def step(i, v):
                return i + 1, v * 2

            _, y = torch.while_loop(more, step, (torch.tensor(0), x))
            return y.reshape(x.shape[0] * 3).repeat(x.shape[1] // 2)

    free = ({0: torch.export.Dim("batch", min=2, max=64)},)
    refuse_harmful(saved(tmp_path / "net.pt2", Loops(), torch.ones(4, 3), dynamic_shapes=free))


def test_a_network_is_opened_whole(tmp_path):
    path = saved(tmp_path / "net.pt2", NETWORKS["block"][0], NETWORKS["block"][1])
    assert open_model(Request(str(path), workdir=tmp_path / "work")).inputs[0].shape == (1, 4, 8, 8)
