"""What a person sees while a command runs, or the one JSON document that a program gets instead.

Hands each event and result to the sentence or table that edgeq/report/formats has for it; draws progress on stderr, and only where
somebody watches.
"""

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol, TypeVar

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.segment import Segment

from edgeq.cli.options import asks_password
from edgeq.cli.printable import echo, echo_json, printable
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
        self._bars = _Bars()
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


class _Bars:
    """One bar at a time on stderr, gone when its stage is done; where that is no terminal, a line as each stage begins."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, color_system=_colors())
        self._bars: Bars | None = None
        self._step: tuple[str, str] | None = None
        self._announced = ""

    def draw(self, progress: Progress) -> None:
        if not self._console.is_terminal:
            self._announce(progress)
            return
        if self._step != (progress.step, progress.unit):
            self.clear()
            self._bars = Bars(*_columns(progress.unit), console=self._console, transient=True)
            self._bars.add_task(progress.step, total=progress.total)
            self._bars.start()
            self._step = (progress.step, progress.unit)
        if self._bars is not None:
            self._bars.update(self._bars.task_ids[0], completed=progress.done, total=progress.total)

    def _announce(self, progress: Progress) -> None:
        if progress.step == self._announced:
            return
        self._announced = progress.step
        longest = f", at most {progress.total:g} s" if progress.unit == "s" and progress.total else ""
        echo(f"{'working':<10}{progress.step}{longest}", err=True)

    def clear(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._step = None, None


def _columns(unit: str) -> tuple[ProgressColumn, ...]:
    name = TextColumn("{task.description:<10}")
    if unit == "B":
        return name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    return name, BarColumn(), TimeRemainingColumn()
