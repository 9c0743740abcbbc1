#!/usr/bin/env python3
"""Checks that a release's folder holds what its manifest says: versions, sizes and sums.

    scripts/release/check-release.py FOLDER"""

import hashlib
import json
import pathlib
import sys


def problems(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    version, platforms = manifest.get("version"), manifest.get("platforms")
    if manifest.get("schema") != 1 or not version or not platforms:
        yield "the manifest lacks its schema (1), its version or platforms"
        return
    for platform, entry in platforms.items():
        package = folder / entry["package"]
        if entry["coreVersion"] != version:
            yield f"{platform}: version {entry['coreVersion']}, not {version}"
        if package.name != f"codeai-hub-core-{platform}-{version}.tar.bz2":
            yield f"{platform}: the package's name is {package.name}"
        if not package.is_file():
            yield f"{platform}: {package.name} isn't there"
            continue
        data = package.read_bytes()
        for name, value in (
            ("size", len(data)),
            ("sha1", hashlib.sha1(data).hexdigest()),
            ("sha256", hashlib.sha256(data).hexdigest()),
        ):
            if not value or entry.get(name) != value:
                yield f"{platform}: {name} is {value}, the manifest says {entry.get(name)}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = list(problems(pathlib.Path(sys.argv[1])))
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(1 if found else 0)
