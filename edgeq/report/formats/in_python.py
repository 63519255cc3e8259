"""A result in full, for Python: the lines and tables that its command prints, as text or as a page of HTML."""

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from edgeq.plain_text import printable
from edgeq.report.formats.page import Page
from edgeq.report.formats.text import show, show_result


def as_text(result: Any) -> str:
    written = io.StringIO()
    _show(Console(file=written, highlight=False, soft_wrap=True, force_terminal=False), result)
    return printable(written.getvalue().rstrip("\n"))


def as_html(result: Any) -> str:
    page = Page()
    _show(page, result)
    return page.html()


def _show(console: Console, result: Any) -> None:
    for noun in _before(result):
        show(console, noun)
    show_result(console, result)


def _before(result: Any) -> Iterator[Any]:
    """What a command says on the way to this result. Results of the layers above are recognised by name, as in text.py."""
    if type(result).__name__ == "Conversion":
        yield from () if result.data is None else (result.data,)
    if type(result).__name__ == "Verification":
        yield from (result.emulation, *result.candidates)
