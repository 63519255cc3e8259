"""Refuses a .pt2 that would do more than describe a program: torch.export.load unpickles parts of the archive without
restraint, and evaluates text from its graph as Python.

Allowed are raw tensors, pickles that torch itself loads with weights_only=True, and a graph whose words are names,
operators that only compute (operators.py) and arithmetic over sizes. The archive is read with torch's own reader, so what is checked is what is
loaded. Knows the layout that torch 2.8 and newer write (torch/export/pt2_archive); older ones are refused.
"""

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from edgeq.ingest.pytorch.operators import is_allowed
from edgeq.ingest.pytorch.sizes import is_float, is_function, is_module_function, is_short_to_compute

_NAME = re.compile(r"[\w.@#:$+-]*")
_FREE = ("metadata", "as_string", "as_strings", "torch_version")  # text that is never evaluated
_TREE_CODE = ("__enum__", "default_factory")  # pytree imports the modules that these name
_SIZES = ("size", "stride", "storage_offset")
_ARITHMETIC = (
    ast.Expression,
    ast.Name,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Call,
    ast.keyword,  # Symbol('s77', positive=True)
    ast.Subscript,
    ast.Attribute,
    ast.expr_context,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
)


class Harmful(Exception):
    """What in the archive is not allowed."""


def refuse_harmful(path: Path) -> None:
    """Raises Harmful for what could run code, and whatever torch raises for what is no archive."""
    import torch

    reader = torch._C.PyTorchFileReader(str(path))
    names = reader.get_all_records()
    # torch falls back to the older layout, read with zipfile, when that one has the record `version`.
    if "archive_version" not in names or "version" in ZipFile(path).namelist():
        raise Harmful("it has the layout of torch before 2.8")
    for name in names:
        if name.startswith("models/"):
            for key, value in _strings(json.loads(reader.get_record(name))):
                _refuse_text(key, value)
        elif re.fullmatch(r"data/(weights|constants)/\w+_config\.json", name):
            _refuse_payloads(name, json.loads(reader.get_record(name)))
        elif name.startswith("data/sample_inputs/"):
            _refuse_pickle(name, reader.get_record(name))
        elif not _is_tensor(name):
            raise Harmful(f"it holds {name}")


def _is_tensor(name: str) -> bool:
    """Raw bytes of a tensor, or what the archive says of itself."""
    beside = ("archive_format", "archive_version", "byteorder", ".format_version", ".storage_alignment")
    raw = re.fullmatch(r"data/weights/weight_\d+|data/constants/tensor_\d+", name)
    return bool(raw) or name in beside or name.startswith((".data/", "extra/"))


def _refuse_payloads(name: str, config: dict[str, Any]) -> None:
    for key, payload in config["config"].items():
        _refuse_text("", key)
        kept = payload["path_name"]
        if payload.get("use_pickle") or not re.fullmatch(r"(weight|tensor)_\d+", kept):
            raise Harmful(f"{key} in {name} is pickled")


def _refuse_pickle(name: str, content: bytes) -> None:
    import torch

    try:
        if content:
            torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise Harmful(f"{name} holds more than tensors") from error


def _strings(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string with its key; keys themselves have the key ""."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one, key)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield "", name
            if not (name in _FREE and _is_text(one)):
                yield from _strings(one, name)


def _is_text(value: object) -> bool:
    """Whether this is text as it is meant, and not a part of the graph that calls itself `metadata`."""
    if isinstance(value, dict):
        return "expr_str" not in value and all(isinstance(v, str) for v in value.values())
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _refuse_text(key: str, text: str) -> None:
    if key in ("in_spec", "out_spec"):
        fine = not any(word in text for word in _TREE_CODE)
    elif key in ("expr_str", "guards_code"):
        fine = _is_arithmetic(text)
    elif key in ("target", "as_operator"):
        if not is_allowed(text):
            raise Harmful(f"it uses {text[:80]!r}, which is not among the operators that only compute")
        return
    else:
        fine = bool(_NAME.fullmatch(text))
    if not fine:
        raise Harmful(f"{key or 'a name'} in its graph is {text[:80]!r}")


def _is_arithmetic(text: str) -> bool:
    """Numbers, names, sums and comparisons, sympy's functions, and sizes of inputs (`L['x'].size()[0] <= 8`)."""
    try:
        tree = _WithoutFloats().visit(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, RecursionError):
        return False
    plain = all(isinstance(node, _ARITHMETIC) and _is_plain(node) for node in ast.walk(tree))
    return plain and _strings_are_names(tree) and is_short_to_compute(tree)


class _WithoutFloats(ast.NodeTransformer):
    """Puts a plain number where torch writes `Float('1.5', precision=53)`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if is_float(node):
            return ast.Constant(float(ast.literal_eval(node.args[0])))
        return self.generic_visit(node)


def _strings_are_names(tree: ast.AST) -> bool:
    """Whether strings stand only where `Symbol('s77')` and `L['x']` have theirs: 'a' * 9999999999 is ten gigabytes."""
    strings = {id(n) for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Symbol":
            strings -= {id(argument) for argument in node.args}
        elif isinstance(node, ast.Subscript):
            strings.discard(id(node.slice))
    return not strings


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return "__" not in node.id
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str) or node.value.isidentifier()
    if isinstance(node, ast.Attribute):
        return node.attr in _SIZES or is_module_function(node)
    if isinstance(node, ast.Call):
        named = node.func.id if isinstance(node.func, ast.Name) else ""
        return isinstance(node.func, ast.Attribute) or is_function(named)
    return True
