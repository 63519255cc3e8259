"""The one place that text passes on its way to the terminal: words, never orders to the terminal.

Texts come from devices, model files, bundles and samples; whoever made one shall not move the cursor, write to the
clipboard (OSC 52), retitle the window or turn the reading order around. JSON output is escaped instead and loses nothing.
"""

import re
from typing import Any

import click

# C0 but for tab and newline, DEL and C1, which terminals take for escape sequences as well (ECMA-48); what embeds, overrides
# and isolates a reading order (Unicode Annex 9); halves of surrogate pairs, which cannot be written at all.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with each of these characters replaced by U+FFFD."""
    return _CONTROL.sub("\ufffd", text)


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print `text` made printable."""
    click.echo(printable(text), err=err, nl=nl)


def echo_json(value: Any) -> None:
    """Print one JSON document in ASCII. Raises ValueError for a number that is not finite."""
    import json  # not for `edgeq --help`

    # JSON does not ask that DEL be escaped.
    click.echo(json.dumps(value, indent=2, allow_nan=False).replace("\x7f", "\\u007f"))
