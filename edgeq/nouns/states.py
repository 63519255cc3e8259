"""Which outputs of a model are fed back into which inputs, as --states writes it."""

from typing import Optional


def states_of(text: Optional[str]) -> "Optional[tuple[tuple[str, str], ...]]":
    """(output, input) of each pair in "hn=h0,cn=c0"; () for "none"; None for "auto" and for no text: found by values.

    Raises ValueError for a text of another form, and where a name occurs twice.
    """
    words = [word.strip() for word in (text or "auto").split(",") if word.strip()]
    if words == ["auto"]:
        return None
    if words == ["none"]:
        return ()
    pairs = tuple((output.strip(), given.strip()) for output, _, given in (w.partition("=") for w in words))
    if not pairs or any(not output or not given for output, given in pairs):
        raise ValueError(f"{text!r} is not OUTPUT=INPUT,..., nor none, nor auto")
    for names in zip(*pairs):
        if len(set(names)) < len(names):
            raise ValueError(f"{text!r} names an output or an input twice")
    return pairs
