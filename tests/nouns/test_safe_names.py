"""Whatever is in an untrusted manifest, wheel or job: the paths that pass stay inside of their folder."""

import os

from hypothesis import example, given
from hypothesis import strategies as st

from edgeq.agent.manifest_rules import problems_of
from edgeq.nouns.safe_names import is_name, is_sha256, problem_of_path
from tests.agent.files.device import bundle

# Text that is rich in what matters for paths.
TRICKY = st.text(alphabet=st.sampled_from("/\\.~ \0\n-_ab:é\u202e\ud800") | st.characters(), max_size=40)


@given(TRICKY)
@example("a/../../b")
@example("/")
@example("a\0b")
@example("a//b")
@example(".")
@example("a/..")
@example("a\n")
def test_a_path_that_passes_stays_inside(path: str) -> None:
    if problem_of_path(path) is None:
        root = "/root/of/edgeq/"
        joined = os.path.normpath(root + path)
        assert joined == root + path
        assert "\0" not in path and "\n" not in path and len(os.fsencode(path.split("/")[-1])) <= 255


@given(TRICKY)
@example("..")
@example(".hidden")
@example("-rf")
@example("net\n")
@example("")
def test_a_name_that_passes_is_one_plain_file(name: str) -> None:
    if is_name(name):
        assert problem_of_path(name) is None and "/" not in name
        assert not name.startswith((".", "-")) and name.isascii()


@given(TRICKY)
def test_a_manifest_that_passes_has_only_such_paths(path: str) -> None:
    tricky = bundle(files={f"candidates/ort/{path}": b"", "candidates/ort/model.onnx": b""})
    if not list(problems_of(tricky.manifest)):
        assert all(not part.startswith(".") for part in path.split("/"))
        assert problem_of_path(path) is None


def test_ordinary_names_pass() -> None:
    assert all(is_name(n) for n in ("resnet56", "silero-vad_16k", "onnxruntime-1.19.2+cpu-01234567", "A.b"))
    assert problem_of_path("candidates/onnxruntime-int8/model.onnx") is None
    assert problem_of_path("numpy/_core/tests/data/naïve file (1).txt") is None
    assert is_sha256("0" * 64) and not is_sha256("0" * 63) and not is_sha256("A" * 64)
