#!/usr/bin/env python3
"""Copies static libraries of Swift's, letting the linker leave out functions of them that nobody calls.

    scripts/release/unretain.py LIBRARY.a... FOLDER

Swift marks every public function of its libraries as one to be kept (SHF_GNU_RETAIN), for programs that are loaded later and may
call it. There are none in a static program: what it runs is reached by references that the linker sees. Only code is
touched: records that the runtime finds by their section keep the mark. Flags change in place, so nothing moves."""

import pathlib
import struct
import sys

SHF_EXECINSTR = 0x4
SHF_GNU_RETAIN = 0x200000


def unretain(content, start, size):
    """In an ELF file (64 bits, little-endian) at start; what isn't one is left alone. Returns how many sections changed."""
    if size < 64 or content[start : start + 6] != b"\x7fELF\x02\x01":
        return 0
    (table,) = struct.unpack_from("<Q", content, start + 0x28)
    entry_size, count = struct.unpack_from("<HH", content, start + 0x3A)
    if count == 0:
        # With more than 65,279 sections the first entry has the number.
        (count,) = struct.unpack_from("<Q", content, start + table + 32)
    changed = 0
    for index in range(count):
        place = start + table + index * entry_size + 8
        (flags,) = struct.unpack_from("<Q", content, place)
        if flags & SHF_EXECINSTR and flags & SHF_GNU_RETAIN:
            struct.pack_into("<Q", content, place, flags & ~SHF_GNU_RETAIN)
            changed += 1
    return changed


def copy(source, target):
    content = bytearray(source.read_bytes())
    if content[:8] != b"!<arch>\n":
        raise SystemExit(f"error: {source} is no library")
    changed, offset = 0, 8
    while offset + 60 <= len(content):
        size = int(content[offset + 48 : offset + 58])
        changed += unretain(content, offset + 60, size)
        offset += 60 + size + size % 2
    if not changed:
        raise SystemExit(f"error: nothing in {source} is marked as to be kept: has the toolchain changed?")
    target.write_bytes(content)


def main():
    *sources, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        copy(source, folder / source.name)


if __name__ == "__main__":
    main()
