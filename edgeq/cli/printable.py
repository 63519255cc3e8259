"""The one place that text passes on its way to the terminal: words, never orders to the terminal.

Texts come from devices, model files, bundles and samples; whoever made one shall not move the cursor, write to the
clipboard (OSC 52), retitle the window or turn the reading order around. JSON output is escaped instead and loses nothing.
"""

import sys

import click

from edgeq.encodable import encodable
from edgeq.plain_text import printable as printable


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print `text` made printable, in characters that the stream has."""
    stream = sys.stderr if err else sys.stdout
    click.echo(encodable(printable(text), getattr(stream, "encoding", None)), err=err, nl=nl)


def echo_json(value: object) -> None:
    """Print one JSON document in ASCII. Raises ValueError for a number that is not finite."""
    import json  # not for `edgeq --help`

    # JSON does not ask that DEL be escaped.
    click.echo(json.dumps(value, indent=2, allow_nan=False).replace("\x7f", "\\u007f"))
