"""Names of one table in the room that there is: abbreviated, and yet no two alike. `--json` has the whole of them.

Converters give names as long as a screen, many of which begin and end alike.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import takewhile

LONGEST = 60
_TORCH = re.compile(r"(?:\w+\.)+[A-Z][A-Za-z0-9]*(?:_(\w+))?")  # a module: its class and what it is called
_OPERATOR = re.compile(
    r"(?:(?:Depthwise)?Conv(?:\dD|Transpose|Integer)?|MatMul|Gemm|BiasAdd|Relu6?|FusedBatchNorm\w*|Add|FullyConnected)(?:_?\d+)?"
)
_ROOT = re.compile(r"(?:model|functional|sequential)(?:_\d+)?")
UNNAMED = "(unnamed)"
_BREAKS = "/;: "


def short_names(names: Iterable[str], room: int = LONGEST) -> dict[str, str]:
    """Each of `names` with the shortest name that tells it from the others, in about `room` characters: "conv2d_2" of
    "model/conv2d_2/Conv2D;model/conv2d/Conv2D1".
    """
    plain = _shortest({name: _plain(name) for name in names})
    shown = {name: _last_words(short, room) for name, short in plain.items()}
    for alike in _alike(shown):
        apart = _told_apart([plain[name] for name in alike], room)
        shown |= {name: apart[plain[name]] for name in alike}
    for alike in _alike(shown):  # they differ in too many places
        shown |= {name: f"{shown[name]} #{k}" for k, name in enumerate(alike, 1)}
    return shown


def short_name(what: str) -> str:
    """One name by itself, behind the kind of its operator where it is given: "CONV_2D: 0/conv1". Of a fused operator the
    first part; a path stays whole, since nothing here says whether its end alone is another's too.
    """
    kind, colon, name = what.rpartition(": ")
    short = _own_path(_plain(name)) if ";" in name else name
    return f"{kind}{colon}{_last_words(short, LONGEST) or UNNAMED}"


def _shortest(plain: dict[str, str]) -> dict[str, str]:
    """Each with the end of one of its parts that no other has, or with its own path where the others' are longer."""
    ends = {name: list(_ends(path)) for name, path in plain.items()}
    owners = Counter(end for found in ends.values() for end in set(found))
    paths = {name: _own_path(path) for name, path in plain.items()}
    named = Counter(paths.values())
    return {
        name: next(
            (end for end in found if owners[end] == 1 or (end == paths[name] and named[end] == 1)),
            plain[name] or UNNAMED,
        )
        for name, found in ends.items()
    }


def _own_path(path: str) -> str:
    """Of the first part, without the operator and without what every path of its kind begins with."""
    parts = _parts(path)
    if not parts:
        return path
    words = _without_operator([word for word in parts[0].split("/") if word])
    return "/".join(words[1:] if len(words) > 1 and _ROOT.fullmatch(words[0]) else words)


def _ends(path: str) -> Iterator[str]:
    """Ends of its parts, the shortest first; neither a number alone nor an operator alone is a name."""
    parts = _parts(path)
    mark = "/" if any("/" in part for part in parts) else "."
    whole = [[word for word in part.split(mark) if word] for part in parts]
    bare = [_without_operator(words) for words in whole] if mark == "/" else whole
    for forms, shortest in ((bare, 1), (whole, 2)):
        for length in range(shortest, max(map(len, forms), default=0) + 1):
            ends = [words[-length:] for words in forms if len(words) >= length]
            yield from (mark.join(end) for end in ends if not end[0].isdigit())


def _parts(path: str) -> list[str]:
    """Of a fused operator's name; numbers among them say which output it is."""
    return [part for part in path.split(";") if part and not part.isdigit()]


def _without_operator(words: list[str]) -> list[str]:
    """A path without the operator that it ends in: "model/conv2d_2/Conv2D" is conv2d_2's."""
    return words[:-1] if len(words) > 1 and _OPERATOR.fullmatch(words[-1]) else words


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
    """Names whose short forms are the same."""
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
