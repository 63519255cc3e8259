"""The page: a word in the margin, facts next to it, tables below. Knows widths, not nouns.

In a terminal facts are folded at its width and a table that is too wide is split into several that repeat its first
column, whose words wrap where even that does not fit; no figure is ever cut. Piped, every line is as long as it needs to be and nothing depends on a terminal.
"""

import textwrap
from collections.abc import Sequence
from typing import Literal
from weakref import WeakKeyDictionary

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgeq.encodable import encodable
from edgeq.report.formats.page import Page

MARGIN = 10
_BETWEEN = "   "  # between the facts of a line
_GAP = 2  # between the columns of a table
_NARROWEST = 14  # of the first column, when it has to make room for figures
_UNBOUNDED = 100_000
_last_word: "WeakKeyDictionary[Console, str]" = WeakKeyDictionary()


def say(console: Console, word: str, facts: Sequence[str], *, style: str = "") -> None:
    """One section line. The word is printed once for a run of lines that share it."""
    if isinstance(console, Page):
        console.facts(word, facts, style)
        return
    shown = "" if _last_word.get(console) == word else word
    _last_word[console] = word
    words = [encodable(fact, console.encoding) for fact in facts]
    for i, line in enumerate(folded(words, page_width(console) - MARGIN)):
        margin = Text(f"{shown if i == 0 else '':<{MARGIN}}", style="bold")
        _print(console, margin + Text(line, style=style))


def table(
    console: Console,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: frozenset[int] = frozenset({0}),
    marked: int | None = None,
    tight: bool = False,
) -> None:
    """`left` are the columns of words, the others are figures and stand to the right; `marked` is the row with a ">".
    `tight`: the margin is given up where the table fits without it.
    """
    if isinstance(console, Page):
        console.table(header, rows, left, marked)
        return
    header = [encodable(name, console.encoding) for name in header]
    rows = [[encodable(cell, console.encoding) for cell in row] for row in rows]
    marks = [f"{'> ' if i == marked else '  '}" for i in range(len(rows))]
    cells = [[f"{mark}{row[0]}", *row[1:]] for mark, row in zip(marks, rows, strict=True)]
    names = [f"  {header[0]}", *header[1:]]
    margin = _margin(names, cells, page_width(console)) if tight else MARGIN
    width = page_width(console) - margin
    widths = _widths(names, cells, left, width)
    if sum(sorted(widths[1:])[-1:], widths[0] + _GAP) > width:
        _stack(console, names, cells, margin)
        return
    for columns in _groups(widths, width):
        part = [[row[c] for c in columns] for row in cells]
        words = frozenset(i for i, c in enumerate(columns) if c in left)
        if console.is_terminal:
            _draw(
                console,
                [names[c] for c in columns],
                part,
                words,
                marked,
                [widths[c] for c in columns],
                margin,
            )
        else:
            for line in _aligned([names[c] for c in columns], part, words):
                _print(console, Text(" " * margin + line))


def _margin(names: Sequence[str], rows: Sequence[Sequence[str]], page: int) -> int:
    """The page's own, or none where the columns would not fit next to it."""
    whole = sum(max(cell_len(row[c]) for row in (names, *rows)) for c in range(len(names)))
    whole += _GAP * (len(names) - 1)
    return MARGIN if MARGIN + whole <= page else 0


def page_width(console: Console) -> int:
    return console.width if console.is_terminal else _UNBOUNDED


def folded(facts: Sequence[str], width: int) -> list[str]:
    """Facts side by side, broken between facts where they do not fit, within one only where it alone is too long."""
    lines: list[str] = []
    for fact in facts:
        if lines and len(lines[-1]) + len(_BETWEEN) + len(fact) <= width:
            lines[-1] += _BETWEEN + fact
        else:
            lines += _wrapped(fact, max(width, 20))
    return lines


def _hanging(name: str, width: int) -> list[str]:
    """The first cell of a row with its mark; further lines stand below its words."""
    return textwrap.wrap(name, width, subsequent_indent="  ", break_on_hyphens=True) or [""]


def _wrapped(fact: str, width: int) -> list[str]:
    indent = fact[: len(fact) - len(fact.lstrip())]
    return textwrap.wrap(
        fact, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _widths(
    names: Sequence[str], rows: Sequence[Sequence[str]], words: frozenset[int], width: int
) -> list[int]:
    """Of each column. Figures have the width they need; the first column gives way to them, and words that do not fit
    next to it are folded.
    """
    widths = [max(cell_len(row[c]) for row in (names, *rows)) for c in range(len(names))]
    figures = max((w for c, w in enumerate(widths) if c not in words), default=_NARROWEST)
    widths[0] = min(widths[0], max(width - _GAP - figures, _NARROWEST))
    room = max(width - _GAP - widths[0], _NARROWEST)
    return [min(w, room) if c in words and c else w for c, w in enumerate(widths)]


def _stack(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]], margin: int) -> None:
    """For a page that is too narrow for any table: a line for each figure."""
    for first, *rest in rows:
        facts = [first, *(f"    {name}: {cell}" for name, cell in zip(names[1:], rest, strict=True))]
        for fact in facts:
            for line in _wrapped(fact, max(page_width(console) - margin, _NARROWEST)):
                _print(console, Text(" " * margin + line))


def _groups(widths: Sequence[int], width: int) -> list[list[int]]:
    """Columns that fit side by side; every group begins with the first column."""
    groups, used = [[0]], widths[0]
    for column in range(1, len(widths)):
        if used + _GAP + widths[column] > width and len(groups[-1]) > 1:
            groups.append([0])
            used = widths[0]
        groups[-1].append(column)
        used += _GAP + widths[column]
    return groups


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]], words: frozenset[int]) -> list[str]:
    widths = [max(cell_len(row[c]) for row in (names, *rows)) for c in range(len(names))]
    lines = []
    for row in (names, *rows):
        filled = [
            cell + pad if c in words else pad + cell
            for c, cell in enumerate(row)
            for pad in [" " * (widths[c] - cell_len(cell))]
        ]
        lines.append((" " * _GAP).join(filled).rstrip())
    return lines


def _draw(
    console: Console,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: frozenset[int],
    marked: int | None,
    widths: Sequence[int],
    margin: int,
) -> None:
    drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for c, name in enumerate(names):
        side: Literal["left", "right"] = "left" if c in words else "right"
        drawn.add_column(Text(name), justify=side, width=widths[c], overflow="fold")
    for i, row in enumerate(rows):
        first, *rest = row
        cells = [Text("\n".join(_hanging(first, widths[0]))), *(Text(cell) for cell in rest)]
        drawn.add_row(*cells, style="bold" if i == marked else None)
    console.print(Padding(drawn, (0, 0, 0, margin), expand=False), soft_wrap=False)


def _print(console: Console, text: Text) -> None:
    """As it stands: no markup, no second folding."""
    text.rstrip()
    console.print(text, soft_wrap=True)
