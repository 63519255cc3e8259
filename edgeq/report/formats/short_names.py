"""Names of one table in the room that there is: abbreviated, and yet no two alike. `--json` has the whole of them.

Converters give names as long as a screen, many of which begin and end alike.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import takewhile

LONGEST = 60
_TORCH = re.compile(r"(?:\w+\.)+[A-Z][A-Za-z0-9]*(?:_(\w+))?")  # a module: its class and what it is called
_BREAKS = "/;: "


def short_names(names: Iterable[str], room: int = LONGEST) -> dict[str, str]:
    """Each of `names` with what it is shown as, in about `room` characters."""
    plain = {name: _plain(name) for name in names}
    shown = {name: _last_words(short, room) for name, short in plain.items()}
    for alike in _alike(shown):
        apart = _told_apart([plain[name] for name in alike], room)
        shown |= {name: apart[plain[name]] for name in alike}
    for alike in _alike(shown):  # they differ in too many places
        shown |= {name: f"{shown[name]} #{k}" for k, name in enumerate(alike, 1)}
    return shown


def short_name(what: str) -> str:
    """One name by itself, behind the kind of its operator where that is said: "CONV_2D: 0/conv1;1"."""
    kind, colon, name = what.rpartition(": ")
    return f"{kind}{colon}{short_names([name])[name]}"


def _plain(name: str) -> str:
    """What LiteRT's converter makes of torch modules as torch calls them, of parts that go on where others end only the
    longest: "a.Net;;a.Net/b.Block_0/torch.nn.modules.conv.Conv2d_conv1;1" is "0/conv1;1".
    """
    if ";" not in name:
        return name
    parts = []
    for part in name.split(";"):
        words = (_TORCH.sub(lambda module: module[1] or "", word) for word in part.split("/"))
        parts.append(
            "/".join(word for k, word in enumerate(words) if word or (k == 0 and part.startswith("/")))
        )
    longest = [p for p in parts if p and not any(other.startswith(f"{p}/") for other in parts)]
    return ";".join(dict.fromkeys(longest)) or name


def _last_words(name: str, room: int) -> str:
    """The end of a path says most; a single word is cut in its middle. Names of several parts have the layer last."""
    if len(name) <= room:
        return name
    parts, words = name.split(";"), name.split("/")
    fitting = [f"...{';'.join(parts[k:])}" for k in range(1, len(parts)) if not parts[k].isdigit()]
    fitting += [f".../{'/'.join(words[k:])}" for k in range(1, len(words))]
    both_ends = f"{name[: room // 2 - 3]}...{name[-room // 2 :]}"
    return next((short for short in fitting if len(short) <= room), both_ends)


def _alike(shown: dict[str, str]) -> list[list[str]]:
    """Names that are shown as the same."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, short in shown.items():
        groups[short].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _told_apart(names: list[str], room: int) -> dict[str, str]:
    """Both ends, and between them what begins where the names part."""
    start = _word_before(names[0], _alike_from_the_start(names), room // 4)
    end = _alike_from_the_start([name[::-1] for name in names])
    return {name: _cut(name, start, len(name) - end, room) for name in names}


def _cut(name: str, start: int, end: int, room: int) -> str:
    """What lies from `start` to `end`, which differs, and as much of the ends as fits."""
    middle = name[start : max(start, end)][: room // 2]
    head, tail = min(start, room // 4), min(len(name) - start - len(middle), room // 4)
    left = name[:head] + ("..." if head < start else "")
    right = ("..." if start + len(middle) + tail < len(name) else "") + name[len(name) - tail :]
    return left + middle + right


def _alike_from_the_start(names: list[str]) -> int:
    """How many characters all of them begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


def _word_before(name: str, at: int, reach: int) -> int:
    """Where the word around `at` begins, if that is within `reach`."""
    begins = max((name.rfind(mark, 0, at) for mark in _BREAKS), default=-1) + 1
    return begins if at - begins <= reach else at
