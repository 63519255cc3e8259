"""Finds models, weights and samples in a folder, by file names and by the syntax of .py files.

Opens no model and runs no code.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgeq.ingest.image_file import SUFFIXES

_MODELS = (".onnx", ".pt2", ".tflite")
_WEIGHTS = (".bin", ".ckpt", ".pt", ".pth", ".safetensors", ".th")
_MOST_FILES = 2000  # looked at in a folder that may hold images
_MOST_PYTHON = 1_000_000  # bytes of a .py file that is looked into


@dataclass(frozen=True)
class Found:
    """Names relative to the folder; factories as "net.py:build". `image_folders` are those of `samples` that hold images."""

    models: tuple[str, ...]
    weights: tuple[str, ...]
    samples: tuple[str, ...]
    image_folders: tuple[str, ...]


def find(folder: Path) -> Found:
    """Empty where `folder` is none. Hidden files and folders are passed over."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    entries = [e for e in entries if not e.name.startswith((".", "_"))]
    files = [e for e in entries if e.is_file()]
    images = [e.name for e in entries if e.is_dir() and _holds_images(e)]
    built = [f"{f.name}:{name}" for f in files if f.suffix == ".py" for name in torch_factories(f)]
    return Found(
        models=(*(f.name for f in files if f.suffix.lower() in _MODELS and not _is_exported(f)), *built),
        weights=tuple(f.name for f in files if f.suffix.lower() in _WEIGHTS),
        samples=(*(f.name for f in files if f.suffix.lower() == ".npz"), *images),
        image_folders=tuple(images),
    )


def _is_exported(model: Path) -> bool:
    """Whether `edgeq export` wrote it: its contract is next to it."""
    return model.with_name(f"{model.stem}.contract.json").is_file()


def torch_factories(path: Path) -> tuple[str, ...]:
    """What can be called without arguments and builds a torch module: functions that return one, else classes of modules
    that no other class of the file is made of.
    """
    if path.stat().st_size > _MOST_PYTHON:
        return ()
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return ()
    modules = _modules(tree)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    built = [f.name for f in functions if _needs_nothing(f.args, 0) and _returns_one_of(f, modules)]
    if built:
        return tuple(built)
    inner = {name for node in modules.values() for name in _called(node)}
    return tuple(n for n, node in modules.items() if n not in inner and _is_made_of_nothing(node))


def _modules(tree: ast.Module) -> dict[str, ast.ClassDef]:
    """Classes that derive from nn.Module, or from another one of them."""
    found: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            if bases & ({"Module", "nn.Module", "torch.nn.Module"} | found.keys()):
                found[node.name] = node
    return found


def _returns_one_of(function: ast.FunctionDef, modules: dict[str, ast.ClassDef]) -> bool:
    """Says so, or calls one of the classes, or nn.Sequential or a model of torchvision or timm, in what it returns."""
    said = ast.unparse(function.returns) if function.returns else ""
    if said.rpartition(".")[2] in {"Module", "Sequential", *modules}:
        return True
    returned = {n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None}
    names = {n.id for n in returned if isinstance(n, ast.Name)}
    values = returned | {
        n.value
        for n in ast.walk(function)
        if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id in names for t in n.targets)
    }
    return any(_builds(name, modules) for value in values for name in _called(value))


def _builds(name: str, modules: dict[str, ast.ClassDef]) -> bool:
    first, last = name.partition(".")[0], name.rpartition(".")[2]
    return last in {"Sequential", *modules} or first in {"models", "torchvision", "timm"}


def _called(node: ast.AST) -> Iterator[str]:
    """The dotted names that are called anywhere in `node`."""
    for child in ast.walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, (ast.Name, ast.Attribute)):
            yield ast.unparse(child.func)


def _is_made_of_nothing(node: ast.ClassDef) -> bool:
    makers = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    return all(_needs_nothing(maker.args, 1) for maker in makers)


def _needs_nothing(arguments: ast.arguments, given: int) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args) - given
    return positional <= len(arguments.defaults) and all(d is not None for d in arguments.kw_defaults)


def _holds_images(folder: Path) -> bool:
    """Whether the first files in it, or in its subfolders, are images and nothing else that edgeq reads."""
    seen = list(islice(folder.rglob("*"), _MOST_FILES))
    kinds = {f.suffix.lower() for f in seen if f.suffix.lower() in (*SUFFIXES, ".npy", ".npz")}
    return bool(kinds) and kinds <= set(SUFFIXES)
