"""An untrusted .pt2 runs none of its code."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from edgeq.errors import ModelRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.pytorch.harmless import _is_arithmetic, refuse_harmful
from edgeq.ingest.request import Request


class Evil:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A program with a free batch, so that its graph has symbols, ranges and guards."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = torch.nn.Linear(6, 2)

        def forward(self, x):
            return self.dense(x.reshape(x.shape[0], 6)).repeat(1, x.shape[1] // 2)

    free = ({0: torch.export.Dim("batch", min=2, max=8)},)
    exported = torch.export.export(Net().eval(), (torch.zeros(4, 3, 2),), dynamic_shapes=free)
    path = tmp_path_factory.mktemp("exported") / "good.pt2"
    torch.export.save(exported, path)
    return path


@pytest.fixture
def program(exported, tmp_path):
    return Path(shutil.copy(exported, tmp_path))


def changed(program, name, content):
    """The same archive with other `content` (of the old content) for the members that end in `name`."""
    out = program.with_name("evil.pt2")
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for member in old.namelist():
            was = old.read(member)
            new.writestr(member.replace("good/", "evil/"), content(was) if member.endswith(name) else was)
    return out


def pickled(command, path):
    torch.save(({"x": Evil(command)},), path)
    return path.read_bytes()


def refused(source, ran):
    with pytest.raises(ModelRefused, match="could run code"):
        open_model(Request(str(source), workdir=source.parent / "work"))
    assert not ran.exists()


def test_a_program_with_free_sizes_is_loaded(program, tmp_path):
    assert open_model(Request(str(program), workdir=tmp_path / "work")).inputs[0].name == "x"


def test_sample_inputs_that_run_a_command(program, tmp_path):
    evil = pickled(f"touch {tmp_path}/ran", tmp_path / "p.pt")
    refused(changed(program, "sample_inputs/model.pt", lambda _: evil), tmp_path / "ran")


def test_pickled_weights_are_not_even_looked_at(program, tmp_path):
    source = changed(
        program, "_config.json", lambda was: was.replace(b'"use_pickle": false', b'"use_pickle": true')
    )
    refused(source, tmp_path / "ran")


def with_graph(program, change):
    def rewritten(was):
        graph = json.loads(was)
        change(graph)
        return json.dumps(graph).encode()

    return changed(program, "models/model.json", rewritten)


CALL = "__import__('os').system('touch {}/ran')"


@pytest.mark.parametrize(
    "change",
    [
        lambda g, call: g.__setitem__("guards_code", [call]),
        lambda g, call: g["graph_module"]["module_call_graph"][0]["signature"].__setitem__(
            "forward_arg_names", [f"x={call}"]
        ),
        lambda g, call: g["graph_module"]["graph"]["nodes"][0].__setitem__("target", "torch.os.system"),
        lambda g, call: g["graph_module"]["graph"]["tensor_values"].__setitem__(
            "metadata", {"sizes": [{"as_expr": {"expr_str": call}}]}
        ),
        lambda g, call: g["graph_module"]["graph"]["tensor_values"]["x"]["sizes"].__setitem__(
            0, {"as_expr": {"expr_str": call, "hint": None}}
        ),
    ],
)
def test_a_graph_whose_text_runs_a_command(change, program, tmp_path):
    refused(with_graph(program, lambda g: change(g, CALL.format(tmp_path))), tmp_path / "ran")


LONG_TO_COMPUTE = [
    "9**9**9**9",
    "((((9**60)**60)**60)**60)**60",
    "9**(9*9*9*99999999)",
    "Pow(9, Pow(9, Pow(9, 9)))",
    "Pow(Integer(9), Integer(99999999999))",
    "PowByNatural(9, 99999999999)",
    "1 << 99999999999",
    "LShift(1, 99999999999)",
    "9**L['x'].size()[0]",
    "Matrix(99999, 99999, 1)",
    "Float(1, 999999999)",
    "Float('1.5', precision=999999999)",
    "9**Float('999999999', precision=53)",
    "math.factorial(999999999)",
    "torch.load(9)",
    "-" * 900 + "1",
    "Sum(Symbol('k'), 9)",
    "9**Rational(1, 0.000000001)",
    "9**(1/0.000000001)",
    "'a' * 9999999999",
    "('a' or 1) * 9999999999",
]


@pytest.mark.parametrize("text", LONG_TO_COMPUTE)
@pytest.mark.parametrize("place", ["guard", "size"])
def test_a_size_that_is_long_to_compute(place, text, program, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEQ_OPEN_SECONDS", "60")

    def change(graph):
        if place == "guard":
            graph["guards_code"] = [f"{text} > 0"]
        else:
            sizes = graph["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
            sizes[0] = {"as_expr": {"expr_str": text, "hint": None}}

    refused(with_graph(program, change), tmp_path / "ran")


@pytest.mark.parametrize(
    "text",
    [
        "s77**2 + 3*s77 - 1 <= 64",
        "Pow(Symbol('s77', positive=True, integer=True), Integer(-1))",
        "Mul(Integer(2), Pow(Symbol('s77'), Rational(1, 2)))",
        "FloorDiv(s77**2, 4) * CeilToInt(s77 / 2) + Max(1, floor(s77 ** 0.5), sqrt(s77))",
        "Mod(PythonMod(s77, 3), 2) == ModularIndexing(s77, 1, 4) << 2",
        "L['x'].size()[0] <= 8",
    ],
)
def test_sizes_as_torch_writes_them(text):
    assert _is_arithmetic(text)


class Sizes(torch.nn.Module):
    """Computes with `formula` of the free sizes of an image."""

    def __init__(self, formula):
        super().__init__()
        self.formula = formula

    def forward(self, x):
        return self.formula(x)


@pytest.mark.parametrize(
    "formula",
    [
        lambda x: torch.nn.functional.max_pool2d(x, 3, stride=2, padding=1),
        lambda x: torch.nn.functional.interpolate(x, scale_factor=1.5),
        lambda x: torch.nn.functional.pixel_unshuffle(
            x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2], 2
        ),
        lambda x: x.flatten(2).softmax(-1) @ x.flatten(2).transpose(1, 2),
        lambda x: x.new_zeros(1, x.shape[2] ** 2 + x.shape[3] * 3 - 1),
        lambda x: torch.cat([x, x[:, :, : min(x.shape[2], 7)]], 2).reshape(1, -1),
        lambda x: x.new_zeros(1, x.shape[2] % 5 + (-x.shape[3] // 4) + 40),
    ],
    ids=["pool", "interpolate", "unshuffle", "attention", "square", "min", "modulo"],
)
def test_programs_that_compute_with_free_sizes(formula, tmp_path):
    free = ({2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},)
    exported = torch.export.export(Sizes(formula).eval(), (torch.zeros(1, 3, 16, 20),), dynamic_shapes=free)
    torch.export.save(exported, tmp_path / "sizes.pt2")
    refuse_harmful(tmp_path / "sizes.pt2")


def test_the_layout_of_older_torch(program, tmp_path):
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("old/version", "8.1")
        archive.writestr("old/serialized_state_dict.pt", pickled(f"touch {tmp_path}/ran", tmp_path / "p.pt"))
    refused(tmp_path / "old.pt2", tmp_path / "ran")
