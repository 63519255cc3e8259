"""One line of an ssh configuration, taken apart as OpenSSH does it: quotation marks, backslashes, comments."""

import re

_LINE = re.compile(r'"?(\w+)"?(?:\s*=\s*|\s+)(\S.*)')
_ESCAPED = "\"'\\"
# Their value is the rest of the line: a shell reads its quotation marks and comments.
COMMANDS = ("proxycommand", "localcommand", "remotecommand", "knownhostscommand")


def keyword_and_rest(line: str) -> tuple[str, str]:
    """The keyword in lower case. Raises ValueError for a line that is no keyword and value."""
    if "\0" in line:
        raise ValueError("cannot be read: it holds a NUL byte")
    match = _LINE.fullmatch(line.strip())
    if not match:
        raise ValueError(f"cannot be read: {line.strip()!r}; a line is a keyword and its value")
    return match[1].lower(), match[2]


def split_words(text: str) -> list[str]:
    """Words between blanks, without their quotation marks; # at the start of a word begins a comment.

    Raises ValueError where a quotation is not closed.
    """
    words: list[str] = []
    word, quote, at = None, "", 0
    while at < len(text):
        letter = text[at]
        after = text[at + 1 : at + 2]
        if letter == "\\" and after and (after in _ESCAPED or (after == " " and not quote)):
            word, at = (word or "") + after, at + 1
        elif quote:
            word, quote = (word or "", "") if letter == quote else ((word or "") + letter, quote)
        elif letter in "\"'":
            word, quote = word or "", letter
        elif letter.isspace():
            words += [word] if word is not None else []
            word = None
        elif letter == "#" and word is None:
            break
        else:
            word = (word or "") + letter
        at += 1
    if quote:
        raise ValueError(f"a quotation is not closed: {text!r}")
    return words + ([word] if word is not None else [])
