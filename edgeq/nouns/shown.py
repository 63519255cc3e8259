"""How a result looks to a Python program: one line, or as text with its tables, or as HTML in a notebook.

What it looks like in full is the host's business (edgeq/report/formats/in_python.py), which is asked by name: this file is
on the device too, where nobody asks.
"""

from importlib import import_module
from types import ModuleType
from typing import Optional


class Shown:
    """For dataclasses without a repr of their own; `in_short` says the result in one line."""

    def in_short(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        words = "".join(
            c if c.isprintable() else "\ufffd" for c in self.in_short()
        )  # a device may have written them
        return f"<{type(self).__name__} {words}>"

    def __str__(self) -> str:
        return str(_in_python().as_text(self))

    def _repr_html_(self) -> Optional[str]:
        html: Optional[str] = _in_python().as_html(self)
        return html


def _in_python() -> ModuleType:
    return import_module("edgeq.report.formats.in_python")
