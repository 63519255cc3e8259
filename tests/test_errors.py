"""Exit codes are a promise to scripts."""

import json
import re

from edgeq import errors


def _tree(cls: type) -> list[type]:
    """Without what a part tells apart for itself alone, under its parent's code."""
    ours = [sub for sub in cls.__subclasses__() if sub.__module__ == errors.__name__]
    return [cls, *(c for sub in ours for c in _tree(sub))]


def test_the_tree_drawn_on_top_of_the_file_is_the_tree_of_the_classes() -> None:
    drawn = dict(re.findall(r"^    +(\w+) +(\d+)", errors.__doc__ or "", re.MULTILINE))
    for cls in _tree(errors.EdgeqError):
        if cls is not errors.DeviceError:  # a branch, not a leaf
            assert int(drawn[cls.__name__]) == cls.exit_code


def test_every_leaf_has_an_exit_code_of_its_own() -> None:
    leaves = [c for c in _tree(errors.EdgeqError) if len(_tree(c)) == 1]
    codes = [c.exit_code for c in leaves]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 2, errors.SPEED_NOT_COMPARED, 130} & set(codes)


def test_an_error_survives_the_way_from_the_device() -> None:
    sent = errors.NoSpace("the disk is full", "free some", details=["a", "b"], live="net = 81aa03e")
    got = errors.from_dict(json.loads(json.dumps(sent.to_dict())))
    assert type(got) is errors.NoSpace
    assert (got.what, got.remedy, got.details, got.live) == (sent.what, sent.remedy, sent.details, sent.live)


def test_an_error_of_a_newer_agent_is_still_an_error() -> None:
    assert type(errors.from_dict({"kind": "FromTheFuture", "what": "x"})) is errors.RemoteFailed
