#!/usr/bin/env python3
"""Checks that a release's folder holds what its manifests say: versions, sizes and sums.

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
        if entry["coreVersion"] != version:
            yield f"{platform}: version {entry['coreVersion']}, not {version}"
        yield from package_problems(folder, platform, f"codeai-hub-core-{platform}-{version}.tar.bz2", entry)
    modules = folder / "providers-manifest.json"
    if modules.exists():
        for provider, entry in json.loads(modules.read_text())["providers"].items():
            name = f"codeai-hub-provider-{provider}-{entry['version']}.tar.bz2"
            yield from package_problems(folder, provider, name, entry)


def package_problems(folder, what, name, entry):
    if entry["package"] != name:
        yield f"{what}: the package's name is {entry['package']}, not {name}"
    package = folder / name
    if not package.is_file():
        yield f"{what}: {name} isn't there"
        return
    data = package.read_bytes()
    for member, value in (
        ("size", len(data)),
        ("sha1", hashlib.sha1(data).hexdigest()),
        ("sha256", hashlib.sha256(data).hexdigest()),
    ):
        if not value or entry.get(member) != value:
            yield f"{what}: {member} is {value}, the manifest says {entry.get(member)}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = list(problems(pathlib.Path(sys.argv[1])))
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(1 if found else 0)
