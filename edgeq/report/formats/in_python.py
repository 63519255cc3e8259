"""A result in full, for Python: the lines and tables that its command prints, as text or as a page of HTML."""

import io
from functools import singledispatch

from rich.console import Console

from edgeq.nouns.results import Conversion
from edgeq.nouns.verification import Verification
from edgeq.plain_text import printable
from edgeq.report.formats.page import Page
from edgeq.report.formats.text import show, show_result


def as_text(result: object) -> str:
    written = io.StringIO()
    _show(result, Console(file=written, highlight=False, soft_wrap=True, force_terminal=False))
    return printable(written.getvalue().rstrip("\n"))


def as_html(result: object) -> str:
    page = Page()
    _show(result, page)
    return page.html()


def _show(result: object, console: Console) -> None:
    for noun in _events_before(result):
        show(noun, console)
    show_result(result, console)


@singledispatch
def _events_before(result: object) -> tuple[object, ...]:
    """What the command prints on its way to this result."""
    return ()


@_events_before.register
def _(conversion: Conversion) -> tuple[object, ...]:
    return () if conversion.data is None else (conversion.data,)


@_events_before.register
def _(verification: Verification) -> tuple[object, ...]:
    return verification.emulation, *verification.candidates
