"""Bundles that fuzzing ended in an error that is none of edgeq's."""

import zipfile

import pytest

from edgeq.bundle import read_bundle, read_check
from edgeq.conversion.finished import open_conversion
from edgeq.errors import BundleRefused


def test_an_entry_without_a_name(tmp_path):
    path = tmp_path / "m.edgeq"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("x"), b"1")
    path.write_bytes(path.read_bytes().replace(b"x", b"\0"))
    with pytest.raises(BundleRefused, match="is refused"):
        read_bundle(path)


@pytest.mark.parametrize("content", [b"7", b"{", b"[" * 3000, b'{"x": 1}', b"\xff"])
@pytest.mark.parametrize("name", ["model.json", "plan.json", "data.json", "fidelity.json"])
def test_what_stands_beside_is_none_of_the_nouns(rewrite, name, content):
    path = rewrite(lambda entries: entries.__setitem__(f"beside/{name}", content))
    with pytest.raises(BundleRefused, match=name):
        open_conversion(path, lambda noun: None)


@pytest.mark.parametrize(
    "array",
    [
        b"",
        b"\x93NUMPY\x01\x00\x03\x00{'(",
        b"\x93NUMPY\x01\x00\x37\x00{'descr': '<f4', 'fortran_order': False, 'shape': (9,)}",
    ],
)
def test_check_samples_that_are_no_arrays(rewrite, array):
    path = rewrite(lambda entries: entries.__setitem__("beside/check/inputs/0.npy", array))
    with read_bundle(path) as bundle, pytest.raises(BundleRefused, match=r"inputs/0\.npy is not an array"):
        read_check(bundle)
