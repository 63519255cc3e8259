"""One line for the device's login shell that it splits into exactly these words again."""

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_BY_BACKSLASH = re.compile(r"['\\!]")


def one_line(words: Sequence[str]) -> str:
    """Raises ValueError for a NUL, which no command line can carry.

    Quotes and backslashes stand outside single quotes, each behind a backslash: sh, bash and zsh would take them
    inside too, but fish reads \\ within single quotes and csh reads ! there.
    """
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if "\0" in word:
        raise ValueError(f"a command's word holds a NUL: {word!r}")
    if _PLAIN.fullmatch(word):
        return word
    pieces = re.split(f"({_BY_BACKSLASH.pattern})", word)
    return "".join("\\" + p if _BY_BACKSLASH.fullmatch(p) else f"'{p}'" for p in pieces if p) or "''"
