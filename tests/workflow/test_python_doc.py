"""docs/python.md: its code runs as it stands there, and what needs a device has keywords that exist."""

import ast
import inspect
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import edgeq

ROOT = Path(edgeq.__file__).parent.parent
TEXT = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python( device)?\n(.*?)^```", TEXT, re.M | re.S)


@pytest.mark.slow
def test_the_code_runs(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "python_doc"}
    ran = [code for device, code in BLOCKS if not device]
    assert len(ran) >= 3
    for code in ran:
        exec(compile(code, "docs/python.md", "exec"), names)  # noqa: S102
    assert names["done"].changed


def test_what_needs_a_device_has_keywords_that_exist() -> None:
    calls = [
        node
        for device, code in BLOCKS
        if device
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert calls
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        signature = inspect.signature(getattr(edgeq, call.func.attr))
        assert {word.arg for word in call.keywords} <= set(signature.parameters)


def test_the_table_has_every_function_and_what_it_returns() -> None:
    functions = {name for name in edgeq.__all__ if not name[0].isupper() and name != "__version__"}
    table = "\n".join(line for line in TEXT.splitlines() if line.startswith("| `edgeq."))
    listed = set(re.findall(r"edgeq\.([a-z_]+)", table)) | set(re.findall(r", `([a-z_]+)` \|", table))
    assert listed == functions
    for line in table.splitlines():
        names, returns = line.split("|")[1:3]
        function = getattr(edgeq, re.findall(r"edgeq\.([a-z_]+)", names)[0])
        returned = inspect.signature(function).return_annotation
        assert f"`{returned.__name__}`" in returns
        said = re.findall(r"[:,] ([a-z]+)(?=[,\n ]|$)", returns.split(" `")[-1]) if ":" in returns else []
        known = set(dir(returned)) | set(getattr(returned, "__dataclass_fields__", {}))
        assert {word for word in said if "what is" not in returns and "each" not in returns} <= known
        for keyword in re.findall(r"[(, *]([a-z]+)(?=[,)])", names.partition("(")[2]):
            assert keyword in inspect.signature(function).parameters


def test_the_stub_is_current() -> None:
    spec = spec_from_file_location("make_stub", ROOT / "docs" / "make_stub.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FILE.read_text(encoding="utf-8") == module.stub(), "run: python docs/make_stub.py"
