"""What a person sees while a command runs, or the one JSON document that a program gets instead.

Hands each event and result to the sentence or table that edgeq/report/formats has for it, and progress to bars.py.
"""

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol, TypeVar

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from edgeq.cli.bars import Bars
from edgeq.cli.options import asks_password
from edgeq.cli.printable import echo_json, printable
from edgeq.encodable import encodable
from edgeq.nouns.data import DataUse
from edgeq.nouns.delivery import Destination
from edgeq.nouns.effort import EffortSpent
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Progress, Started


class Document(Protocol):
    """A result of a command."""

    def to_dict(self) -> Mapping[str, object]: ...


R = TypeVar("R", bound=Document)


class Screen:
    """`tell` while it happens, `result` at the end."""

    def __init__(self, as_json: bool, in_full: bool) -> None:
        self._as_json = as_json
        self._in_full = in_full
        self._console = page()
        self._bars = Bars(Console(stderr=True, color_system=_colors()))
        self._held: list[object] = []

    def tell(self, event: object) -> None:
        if isinstance(event, Progress):
            self._bars.draw(event)
            return
        self._bars.clear()
        if self._as_json:
            return
        if isinstance(event, Started):
            self._show_held()
        elif not self._in_full and isinstance(event, _HELD_BACK):
            self._held.append(event)
            return
        self._show(event)

    def result(self, result: Document) -> None:
        self._bars.clear()
        if self._as_json:
            echo_json(result.to_dict())
            return
        if not getattr(result, "unchanged", False):
            self._show_held()
        from edgeq.report.formats.text import show_result

        show_result(result, self._console, in_full=self._in_full)

    def close(self) -> None:
        self._bars.clear()

    def _show_held(self) -> None:
        held, self._held = self._held, []
        for event in held:
            self._show(event)

    def _show(self, event: object) -> None:
        from edgeq.report.formats.text import show

        show(event, self._console, in_full=self._in_full)


# An unchanged second deploy is two lines, so what is known before anything is done waits until something begins; and what the
# conversion took, for the lines above it.
_HELD_BACK = (Destination, DataUse, Plan, EffortSpent)


@contextlib.contextmanager
def screen(as_json: bool, in_full: bool = False) -> Iterator[Screen]:
    """A screen whose bars are gone when an error leaves the block: what follows is the error's own words."""
    made = Screen(as_json, in_full)
    try:
        yield made
    finally:
        made.close()


def show(
    function: Callable[..., R], *words: object, as_json: object, verbose: object = False, **options: object
) -> R:
    """What `function` returns; its events are printed as they happen, and then the result."""
    if "ask_password" in inspect.signature(function).parameters:
        options["ask_password"] = asks_password()
    with screen(bool(as_json), bool(verbose)) as shown:
        result = function(*words, **options, tell=shown.tell)
        shown.result(result)
    return result


def page() -> Console:
    """stdout. Whatever is printed to it is made printable; what rich itself sends to the terminal (colours) is not touched."""
    console = Console(highlight=False, soft_wrap=True, color_system=_colors())
    console.push_render_hook(_OnlyWords())
    return console


def _colors() -> Literal["auto"] | None:
    """With NO_COLOR not even bold and dim text, which rich would keep."""
    return None if os.environ.get("NO_COLOR") else "auto"


class _OnlyWords(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(renderable) for renderable in renderables]


class _Printable:
    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield (
                segment
                if segment.control
                else Segment(encodable(printable(segment.text), console.encoding), segment.style)
            )
