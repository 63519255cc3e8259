"""A page of HTML, for notebooks, made of what is otherwise printed: facts, tables and lines. Knows no nouns.

It stands by itself: no script, no style sheet, nothing to load. Whatever comes in is text and is escaped.
"""

import html
import io
from collections.abc import Sequence

from rich.console import Console

from edgeq.plain_text import printable

_TABLE = "border-collapse:collapse;margin:0.3em 0"
_CELL = "padding:0.1em 0.8em;vertical-align:top"


class Page(Console):
    """`layout.say` and `layout.table` hand their words to it where they would print them."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO())
        self._parts: list[str] = []
        self._facts: list[str] = []
        self._word = ""

    def facts(self, word: str, facts: Sequence[str], style: str) -> None:
        shown = "" if word == self._word else word
        self._word = word
        indent = len(facts[0]) - len(facts[0].lstrip()) if facts else 0
        shift = f"padding-left:{indent}em;" if indent else ""
        spans = "".join(
            f'<span style="{shift}margin-right:1.5em">{_text(fact.strip())}</span>'
            for fact in facts
            if fact.strip()
        )
        if "bold" in style:
            spans = f"<b>{spans}</b>"
        name, value = (_cell("left") for _ in range(2))
        self._facts.append(f"<tr>{name}<b>{_text(shown)}</b></td>{value}{spans}</td></tr>")

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        left: frozenset[int],
        marked: int | None,
    ) -> None:
        self._close_facts()
        sides = ["left" if i in left else "right" for i in range(len(header))]
        names = "".join(
            f'<th style="text-align:{side};{_CELL}">{_text(name)}</th>'
            for side, name in zip(sides, header, strict=True)
        )
        lines = [_row(row, sides, bold=i == marked) for i, row in enumerate(rows)]
        self._parts.append(
            f'<table style="{_TABLE}"><thead><tr>{names}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        )

    def print(self, *lines: object, **_how: object) -> None:
        """Code and the like, as it stands."""
        self._close_facts()
        self._parts.append("".join(f'<pre style="margin:0">{_text(str(line))}</pre>' for line in lines))

    def html(self) -> str:
        self._close_facts()
        return f"<div>{''.join(self._parts)}</div>"

    def _close_facts(self) -> None:
        if self._facts:
            self._parts.append(f'<table style="{_TABLE}"><tbody>{"".join(self._facts)}</tbody></table>')
        self._facts, self._word = [], ""


def _row(row: Sequence[str], sides: Sequence[str], *, bold: bool) -> str:
    cells = "".join(f"{_cell(side)}{_text(cell)}</td>" for side, cell in zip(sides, row, strict=True))
    return f'<tr style="font-weight:bold">{cells}</tr>' if bold else f"<tr>{cells}</tr>"


def _cell(side: str) -> str:
    return f'<td style="text-align:{side};{_CELL}">'


def _text(text: str) -> str:
    return html.escape(printable(text))
