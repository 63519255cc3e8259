"""Nothing that lies in the current folder is imported, by edgeq or by a Python that it starts."""

import ast
import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq import child_python

ROOT = Path(__file__).parents[1]
NAMES = (
    "pip",
    "numpy",
    "json",
    "onnx",
    "onnxruntime",
    "tomllib",
    "sitecustomize",
    "usercustomize",
    "typing",
    "runpy",
    "ai_edge_litert",
)


@pytest.fixture
def trapped(tmp_path):
    """A folder as it comes with an untrusted model: with modules beside it that say when they are imported."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write('{name}\\n')\nraise ImportError('the planted {name}')\n"
        )
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32))
    (tmp_path / "edgeq.toml").write_text('model = "model.onnx"\ndata = "data.npz"\n')
    return tmp_path


def run(words, folder, **more):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | more
    return subprocess.run(
        list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )


def nothing_ran(folder, done):
    ran = folder / "ran"
    assert not ran.exists(), (ran.read_text(), done.stderr)
    assert "planted" not in done.stdout + done.stderr


EDGEQ = Path(sys.executable).with_name("edgeq")
CONVERT = ("convert", "model.onnx", "--data", "data.npz", "--target", "x86-64", "-o", "out.edgeq")


@pytest.mark.parametrize(
    "edgeq", [(EDGEQ,), (sys.executable, "-m", "edgeq")], ids=["edgeq", "python -m edgeq"]
)
def test_converting_in_an_untrusted_folder(trapped, edgeq):
    if edgeq[0] != EDGEQ:
        # `python -m` imports these itself before a line of edgeq runs; nobody but Python can leave them out.
        for name in ("sitecustomize", "usercustomize", "runpy"):
            (trapped / f"{name}.py").unlink()
    done = run((*edgeq, *CONVERT), trapped)
    assert done.returncode == 0, done.stderr
    nothing_ran(trapped, done)


@pytest.mark.parametrize("search", [".", "", ".:/nowhere"])
def test_a_search_path_with_the_current_folder_reaches_no_child(trapped, search):
    code = (
        "import subprocess\n"
        "from edgeq import child_python\n"
        f"subprocess.run(child_python.module('pip', '--version'), cwd={str(trapped)!r}, "
        f"env=dict(child_python.environment()), check=True)\n"
    )
    done = run((sys.executable, "-c", code), ROOT, PYTHONPATH=search)
    assert done.returncode == 0 and done.stdout.startswith("pip "), done.stderr
    nothing_ran(trapped, done)


def test_a_child_finds_what_edgeq_finds_and_its_own_modules_come_first(trapped, monkeypatch):
    packages = trapped / "packages"
    packages.mkdir()
    (packages / "of_the_user.py").write_text("VALUE = 7\n")
    (packages / "numpy.py").write_text("raise ImportError('the planted numpy')\n")
    script = trapped / "script.py"
    script.write_text("import sys, numpy, of_the_user\nprint(of_the_user.VALUE, *sys.argv[1:])\n")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.chdir(trapped)
    done = run(child_python.script(script, "a b"), trapped)
    assert done.stdout == "7 a b\n", done.stderr
    nothing_ran(trapped, done)


@pytest.mark.slow
def test_a_factory_still_imports_what_lies_beside_it(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "blocks.py").write_text("import torch\n\nclass Net(torch.nn.Linear):\n    pass\n")
    (tmp_path / "net.py").write_text("from blocks import Net\n\ndef build():\n    return Net(4, 2)\n")
    (tmp_path / "samples.py").write_text(
        "import numpy as np\nfrom shared import SHAPE\n\ndef some():\n    for i in range(8):\n        yield np.full(SHAPE, i, np.float32)\n"
    )
    (tmp_path / "shared.py").write_text("SHAPE = (4,)\n")
    words = (
        EDGEQ,
        "convert",
        "net.py:build",
        "--data",
        "samples.py:some",
        "--target",
        "x86-64",
        "-o",
        "out.edgeq",
    )
    done = run(words, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_package_of_the_current_folder_is_found_where_it_is_named(tmp_path):
    (tmp_path / "net.py").write_text("from blocks import build\n")
    (tmp_path / "blocks.py").write_text("def build():\n    return 7\n")
    code = "from edgeq.user_code import load_attribute; print(load_attribute('net:build', OSError)())"
    done = run((sys.executable, "-P", "-c", code), tmp_path)
    assert done.stdout == "7\n", done.stderr


@functools.cache
def parsed(file):
    return ast.parse(file.read_text())


def words_that_start_python():
    """Every list, tuple and call in edgeq/ with a Python in it that is started, and where it stands."""
    for file in sorted((ROOT / "edgeq").rglob("*.py")):
        tree = parsed(file)
        for node in ast.walk(tree):
            parts = (
                node.elts
                if isinstance(node, (ast.List, ast.Tuple))
                else node.args
                if isinstance(node, ast.Call)
                else []
            )
            for at, part in enumerate(parts):
                text = ast.unparse(part)
                if text in ("sys.executable", "self.python", "python", "_PYTHON") or text.endswith(".python"):
                    yield file.relative_to(ROOT), node.lineno, [ast.unparse(p) for p in parts[at + 1 :]]


def test_every_list_of_words_that_begins_with_a_python_goes_on_with_isolation():
    started = [
        (f, line, rest)
        for f, line, rest in words_that_start_python()
        if rest and rest[0].strip("'\"").startswith("-")
    ]
    assert started, "the search finds nothing any more"
    assert [s for s in started if s[2][0] != "'-I'"] == []


def test_python_options_stand_in_no_other_list():
    """`-m`, `-c` or `-P` behind anything that is called python: only after -I in the same list, or by child_python."""
    found = []
    for file in sorted((ROOT / "edgeq").rglob("*.py")):
        for node in ast.walk(parsed(file)):
            if isinstance(node, (ast.List, ast.Tuple)):
                texts = [
                    ast.literal_eval(e) if isinstance(e, ast.Constant) else ast.unparse(e) for e in node.elts
                ]
                for option in {"-m", "-c", "-P"} & set(texts):
                    before = texts[: texts.index(option)]
                    if "-I" not in before and any(
                        "python" in str(t) or "executable" in str(t) for t in before
                    ):
                        found.append((str(file.relative_to(ROOT)), node.lineno, texts))
    assert found == []


# Where processes are started. A new file here has to say which program, and how a Python is isolated.
STARTS = {
    "agent/probes/free_memory.py": "vm_stat",
    "agent/probes/throttle.py": "vcgencmd",
    "agent/probes/userland.py": "the C library's own program",
    "agent/service.py": "systemctl",
    "agent/spawn.py": "the agent's child, with -I",
    "deliver/agent_link.py": "a lent agent, with -I",
    "deliver/provision.py": "child_python",
    "emulate/answers.py": "child_python",
    "emulate/machine.py": "child_python",
    "emulate/qemu.py": "qemu --version",
    "child_python.py": "what is built of its own words",
    "ingest/onnx_to_tflite/call.py": "child_python",
    "ingest/onnx_to_tflite/environment.py": "child_python",
    "ingest/onnx_to_tflite/find_python.py": "child_python",
    "ingest/onnx_to_tflite/proof.py": "child_python",
    "ingest/pytorch/to_tflite.py": "child_python",
    "limited/ask.py": "child_python",
    "transport/local.py": "the words of the agent link",
    "transport/revoked_keys.py": "ssh-keygen -Q",
    "transport/ssh_client.py": "ssh -G",
    "transport/ssh_match.py": "the command of a Match exec",
    "transport/ssh_proxy_command.py": "a ProxyCommand",
}


def test_processes_are_started_in_known_places_alone():
    starting = set()
    for file in sorted((ROOT / "edgeq").rglob("*.py")):
        calls = [ast.unparse(n.func) for n in ast.walk(parsed(file)) if isinstance(n, ast.Call)]
        names = (
            "child_python.run",
            "subprocess.run",
            "subprocess.Popen",
            "subprocess.check_output",
            "subprocess.check_call",
            "os.system",
            "os.popen",
        )
        text = file.read_text()
        if (
            set(calls) & set(names)
            or any(c.startswith(("os.exec", "os.spawn", "os.posix_spawn")) for c in calls)
            or "subprocess.run(" in text
        ):
            starting.add(file.relative_to(ROOT / "edgeq").as_posix())
    assert starting == set(STARTS)
    for name in (name for name, how in STARTS.items() if how == "child_python"):
        assert "child_python." in (ROOT / "edgeq" / name).read_text(), name
