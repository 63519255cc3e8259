"""Text for an output that cannot take every character (PYTHONIOENCODING=ascii, a Latin-1 terminal): nothing is lost and
nothing raises. Imports nothing: `edgeq --help` loads it.
"""

_SUBSTITUTES = {
    "±": "+-", "µ": "u", "°": "", "×": "x", "→": "->", "…": "...", "–": "-", "—": "-", "≥": ">=", "≤": "<=",
    "‘": "'", "’": "'", "“": '"', "”": '"', "\xa0": " ", "\ufffd": "?",
}  # fmt: skip


def encodable(text: str, encoding: str | None) -> str:
    """`text` with what `encoding` lacks spelled out: "+-" for "±", "\\u4e2d" for what has no spelling."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return "".join(_spelled(character, encoding or "utf-8") for character in text)
    except LookupError:  # an encoding that Python does not know
        return encodable(text, "ascii")
    return text


def _spelled(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        if character in _SUBSTITUTES:
            return _SUBSTITUTES[character]
        return character.encode(encoding, "backslashreplace").decode(encoding)
    return character
