"""Text for people: made harmless where devices, model files and samples wrote it, quoted for a shell, counted."""

import re
from collections.abc import Sequence

# C0 but for tab and newline, DEL and C1, which terminals take for escape sequences as well (ECMA-48); what embeds, overrides
# and isolates a reading order (Unicode Annex 9); halves of surrogate pairs, which cannot be written at all.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with each of these characters replaced by U+FFFD."""
    return _CONTROL.sub("\ufffd", text)


def shell_command(words: Sequence[str]) -> str:
    """`words` as a shell takes them, quoted where that is needed."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    plain = word and all(c.isalnum() or c in "-_./=:@%+,~" for c in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


def counted(number: int, noun: str) -> str:
    """As "1 layer" and "1,200 layers"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
