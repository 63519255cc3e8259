"""Every byte of a bundle belongs to a file that was checked, or to the zip's own tables."""

import io
import struct
import zipfile

import pytest

from edgeq.bundle import read_bundle
from edgeq.errors import BundleRefused


def in_front(content):
    return b"#!/bin/sh\n" + content


def in_front_with_offsets_that_count_it(content):
    """As `zip -A` makes of an archive that has a program in front."""
    parts = parsed(content)
    entries = bytearray(parts.directory)
    at = 0
    while at < len(entries):
        (offset,) = struct.unpack_from("<L", entries, at + 42)
        struct.pack_into("<L", entries, at + 42, offset + 10)
        at += 46 + sum(struct.unpack_from("<3H", entries, at + 28))
    end = bytearray(parts.end)
    struct.pack_into("<L", end, 16, len(parts.files) + 10)
    return b"#!/bin/sh\n" + parts.files + bytes(entries) + bytes(end)


def before_the_directory(content):
    parts = parsed(content)
    end = bytearray(parts.end)
    struct.pack_into("<L", end, 16, len(parts.files) + 10)
    return parts.files + b"0123456789" + parts.directory + bytes(end)


def behind(content):
    return content + b"0123456789"


def a_comment(content):
    return content[:-2] + b"\x0a\0" + b"0123456789"


def a_file_that_the_directory_leaves_out(content):
    """Its bytes stay in the archive, as after an update in place."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        left_out = next(name for name in archive.namelist() if name.startswith("beside/"))
        entry = archive.NameToInfo.pop(left_out)
        archive.filelist.remove(entry)
        archive.comment = b" "  # so that the directory is written anew
        archive.comment = b""
    return buffer.getvalue()


class parsed:
    def __init__(self, content):
        size, offset = struct.unpack_from("<2L", content, len(content) - 10)
        self.files, self.directory = content[:offset], content[offset : offset + size]
        self.end = content[offset + size :]


@pytest.mark.parametrize(
    "change",
    [
        in_front,
        in_front_with_offsets_that_count_it,
        before_the_directory,
        behind,
        a_comment,
        a_file_that_the_directory_leaves_out,
    ],
)
def test_bytes_that_no_check_covers_are_refused(bundle_file, change):
    bundle_file.write_bytes(change(bundle_file.read_bytes()))
    with pytest.raises(BundleRefused) as refused:
        read_bundle(bundle_file)
    assert "belong to no file" in " ".join(refused.value.details)


def test_two_entries_that_share_bytes(bundle_file):
    parts = parsed(bundle_file.read_bytes())
    entries = bytearray(parts.directory)
    second = 46 + sum(struct.unpack_from("<3H", entries, 28))
    struct.pack_into("<L", entries, second + 42, 5)  # inside the first
    bundle_file.write_bytes(parts.files + bytes(entries) + parts.end)
    with pytest.raises(BundleRefused) as refused:
        read_bundle(bundle_file)
    assert refused.value.details


class Pipe(io.RawIOBase):
    """Where a writer cannot go back, it writes an entry's sizes behind its content."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


def by_way_of_a_pipe(entries):
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return pipe.content


def with_sizes_of_64_bits(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                file.write(content)
    return buffer.getvalue()


def with_an_end_of_64_bits(entries):
    plain = zipfile.ZIP_FILECOUNT_LIMIT
    zipfile.ZIP_FILECOUNT_LIMIT = 1
    try:
        return with_sizes_of_64_bits(entries)
    finally:
        zipfile.ZIP_FILECOUNT_LIMIT = plain


@pytest.mark.parametrize("packed", [by_way_of_a_pipe, with_sizes_of_64_bits, with_an_end_of_64_bits])
def test_what_other_writers_of_zip_do_is_read(bundle_file, packed):
    with zipfile.ZipFile(bundle_file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    bundle_file.write_bytes(packed(entries))
    read_bundle(bundle_file).close()
