"""Texts and numbers as literals of C++ and Kotlin: whatever a model file calls its tensors, it stays a text there."""


def cpp_text(text: str) -> str:
    """A C++ literal of the text's UTF-8 bytes; octal, since a hexadecimal escape has no end."""
    plain = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}"
        for b in text.encode("utf-8", "replace")
    )
    return f'"{plain}"'


def kotlin_text(text: str) -> str:
    """A Kotlin literal; `$` would begin a template."""
    units = text.encode("utf-16-be", "replace")
    codes = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    plain = "".join(chr(c) if 32 <= c < 127 and chr(c) not in '"\\$' else f"\\u{c:04x}" for c in codes)
    return f'"{plain}"'


def words(text: str) -> str:
    """For a comment: one line in which nothing ends the comment."""
    return "".join(c if c.isascii() and c.isprintable() and c not in '*\\"' else "?" for c in text)
