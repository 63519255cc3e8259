"""Writes edgeq/__init__.pyi: every public function with its keywords, their types and what they mean, for editors and mypy.

The functions are resolved when they are used, and their keywords are made from requests: an editor that only reads the
source sees neither. Run it after an option changes; a test says when it has to be run.
"""

import inspect
from pathlib import Path
from typing import Any

import edgeq

FILE = Path(__file__).parent.parent / "edgeq" / "__init__.pyi"
_HEAD = '''"""{doc}"""

# Written by docs/make_stub.py.

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from onnx import ModelProto
from torch import nn
from torch.utils.data import Dataset

from edgeq.nouns.job import Limits as Limits
from edgeq.nouns.project import Gates as Gates
from edgeq.nouns.target import Target
from edgeq.request.login import Login as Login
{results}

__version__: str
'''


def stub() -> str:
    functions = {name: getattr(edgeq, name) for name in edgeq.__all__}
    functions = {name: f for name, f in functions.items() if callable(f) and not inspect.isclass(f)}
    results = {inspect.signature(f).return_annotation for f in functions.values()}
    imports = sorted(f"from {each.__module__} import {each.__name__} as {each.__name__}" for each in results)
    doc = inspect.cleandoc(edgeq.__doc__ or "") + "\n"
    head = _HEAD.format(doc=doc, results="\n".join(imports))
    return head + "".join(_declared(name, function) for name, function in functions.items())


def _declared(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    lines, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            lines.append("*,")
            starred = True
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        starred = starred or bool(star)
        lines.append(f"{star}{parameter.name}: {parameter.annotation}{_default(parameter)},")
    arguments = "".join(f"    {line}\n" for line in lines)
    doc = "\n".join(f"    {line}".rstrip() for line in (inspect.getdoc(function) or "").splitlines())
    returned = signature.return_annotation.__name__
    return f'\ndef {name}(\n{arguments}) -> {returned}:\n    """{doc.strip()}\n    """\n'


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return ""
    literal = isinstance(parameter.default, (str, int, float, bool, tuple, type(None)))
    return f" = {parameter.default!r}" if literal else " = ..."


if __name__ == "__main__":
    FILE.write_text(stub(), encoding="utf-8")
