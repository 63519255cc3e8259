"""What an untrusted source or a bad disk could put into a bundle, and that each of it is refused by name."""

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.bundle import read_bundle
from edgeq.bundle.layout import why_unsafe
from edgeq.errors import BundleRefused
from edgeq.nouns.record import canonical_json

from .conftest import Entries

MODEL = "candidates/onnxruntime-float/model.onnx"
Rewrite = Callable[[Callable[[Entries], None]], Path]


def refusal(path: Path, expect: str | None = None) -> str:
    with pytest.raises(BundleRefused) as refused:
        read_bundle(path, expect=expect)
    return "\n".join([refused.value.what, *refused.value.details])


def edit_manifest(entries: Entries, **changes: object) -> None:
    entries["manifest.json"] = canonical_json(json.loads(entries["manifest.json"]) | changes)


def test_missing_extra_and_changed_are_said_at_once(rewrite: Rewrite) -> None:
    def change(entries: Entries) -> None:
        del entries["candidates/onnxruntime-int8_static/model.onnx"]
        entries["candidates/onnxruntime-float/readme.txt"] = b"hello"
        entries[MODEL] = entries[MODEL].replace(b"float", b"flout")

    said = refusal(rewrite(change))
    assert "3 problems" in said
    assert "candidates/onnxruntime-int8_static/model.onnx is missing" in said
    assert "'candidates/onnxruntime-float/readme.txt' is not in the manifest" in said
    assert f"{MODEL} was changed" in said


def test_a_wrong_size_is_said_with_both_sizes(rewrite: Rewrite) -> None:
    said = refusal(rewrite(lambda entries: entries.update({MODEL: b"short"})))
    assert f"{MODEL} has 5 bytes, the manifest says 1,100" in said


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil", "climbs out"),
        ("beside/../../evil", "climbs out"),
        ("/etc/passwd", "is absolute"),
        ("C:/evil", "drive letter"),
        ("beside\\evil", "backslash"),
        ("beside/.hidden", "not a plain name"),
        ("beside//double", "not a plain name"),
        ("beside/new\nline", "not a plain name"),
        ("beside/", "is a folder"),
    ],
)
def test_unsafe_names(rewrite: Rewrite, name: str, why: str) -> None:
    assert why in refusal(rewrite(lambda entries: entries.update({name: b""})))


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_whatever_is_called_safe_stays_below_its_folder(name: str) -> None:
    if why_unsafe(name) is None:
        resolved = (Path("/base") / name).resolve()
        assert resolved.is_relative_to("/base") and str(resolved) == f"/base/{name}"


def test_a_link_is_refused(bundle_file: Path) -> None:
    link = zipfile.ZipInfo("beside/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(bundle_file, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in refusal(bundle_file)


def test_a_name_twice_is_refused(bundle_file: Path) -> None:
    with zipfile.ZipFile(bundle_file, "a") as archive:
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(MODEL, b"the other one")
        archive.writestr("beside/Tools.json", b"the same file on some disks")
    said = refusal(bundle_file)
    assert f"{MODEL!r} is there 2 times" in said and "'beside/tools.json' is there 2 times" in said


def test_a_bomb_is_refused_before_it_is_read(bundle_file: Path) -> None:
    with zipfile.ZipFile(bundle_file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("beside/zeros", bytes(50_000_000))
    assert "is compressed (50,000,000 bytes out of 4" in refusal(bundle_file)


def test_a_stored_entry_that_lies_about_its_size_is_refused(bundle_file: Path) -> None:
    content = bundle_file.read_bytes()
    central = content.index(b"PK\x01\x02")
    forged = bytearray(content)
    forged[central + 20 : central + 28] = (9_000_000).to_bytes(4, "little") * 2  # compressed and full size
    bundle_file.write_bytes(forged)
    assert "the entries declare 9,0" in refusal(bundle_file)


def test_a_flipped_byte_never_changes_what_is_read(bundle_file: Path) -> None:
    content = bundle_file.read_bytes()
    with read_bundle(bundle_file) as bundle:
        meant = {a.path: bundle.artifact(a.path) for a in bundle.manifest.artifacts}
    refused = 0
    for position in range(0, content.index(b"PK\x01\x02"), 97):
        flipped = bytearray(content)
        flipped[position] ^= 0x10
        bundle_file.write_bytes(flipped)
        try:  # only what no reader looks at, a local header's date, may differ unnoticed
            with read_bundle(bundle_file) as bundle:
                assert {path: bundle.artifact(path) for path in meant} == meant
        except BundleRefused:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(bundle_file: Path, keep: float) -> None:
    content = bundle_file.read_bytes()
    bundle_file.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    assert "is not a bundle, or only part of one" in refusal(bundle_file)


def test_no_file_at_all(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.edgeq")


def test_an_unknown_schema_is_refused_even_with_unknown_keys(rewrite: Rewrite) -> None:
    path = rewrite(lambda entries: edit_manifest(entries, schema=99, signature_policy="strict"))
    assert "has schema 99; this edgeq reads schema 1" in refusal(path)


def test_an_edited_manifest_is_not_canonical(rewrite: Rewrite) -> None:
    def change(entries: Entries) -> None:
        entries["manifest.json"] = entries["manifest.json"].replace(b'"target":"rpi4"', b'"target": "rpi5"')

    assert "not in canonical form" in refusal(rewrite(change))


def test_a_manifest_rewritten_with_care_has_another_digest(bundle_file: Path, rewrite: Rewrite) -> None:
    with read_bundle(bundle_file) as bundle:
        meant = bundle.digest
    path = rewrite(lambda entries: edit_manifest(entries, target="rpi5"))
    assert f"expected was {meant}" in refusal(path, expect=meant)


def test_a_manifest_that_contradicts_itself(rewrite: Rewrite) -> None:
    def change(entries: Entries) -> None:
        raw = json.loads(entries["manifest.json"])
        raw["candidates"][0]["model"] = "../../etc/passwd"
        raw["artifacts"][0]["path"] = "/etc/cron.d/x"
        raw["artifacts"][1]["sha256"] = "zz"
        entries["manifest.json"] = canonical_json(raw)

    said = refusal(rewrite(change))
    assert "has its model elsewhere" in said and "'/etc/cron.d/x' is absolute" in said
    assert "has no valid size and sha256" in said


def test_no_manifest(rewrite: Rewrite) -> None:
    assert "manifest.json is missing" in refusal(
        rewrite(lambda entries: entries.pop("manifest.json") and None)
    )


def test_a_change_under_an_open_bundle_is_noticed(bundle_file: Path) -> None:
    with read_bundle(bundle_file) as bundle:
        content = bundle_file.read_bytes()
        with bundle_file.open("r+b") as stream:
            stream.seek(content.index(b"float graph"))
            stream.write(b"evil! graph")
        with pytest.raises(BundleRefused):
            bundle.artifact(MODEL)


def test_extract_writes_what_a_device_will_hold(bundle_file: Path, tmp_path: Path) -> None:
    with read_bundle(bundle_file) as bundle:
        bundle.extract(tmp_path / "out")
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == [
        "candidates/onnxruntime-float/contract.json",
        "candidates/onnxruntime-float/edgeq_runtime.py",
        "candidates/onnxruntime-float/model.onnx",
        "candidates/onnxruntime-int8_static/contract.json",
        "candidates/onnxruntime-int8_static/edgeq_runtime.py",
        "candidates/onnxruntime-int8_static/model.onnx",
        "manifest.json",
    ]
