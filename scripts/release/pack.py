#!/usr/bin/env python3
"""Packs files into a package of a release, and writes the manifest that names it, with its signature.

    scripts/release/pack.py --programs .build/debug --version 0.2.0 --output DIR
    scripts/release/pack.py --provider claudeCodeCli --version 1.3.0 --minimum-core 1.2.3 --output DIR module.json=FILE

The first makes DIR/codeai-hub-core-<platform>-0.2.0.tar.bz2 of the built programs in that folder (one program of two names
when the release build's is there, else the two programs), with VERSION and the licenses, and DIR/manifest.json; the second
a module of a provider and DIR/providers-manifest.json. Files are added or replaced by NAME=FILE, and second names for them by
--link NAME=OTHER. Programs are copied, and get the version that is asked for.

The same files give the same bytes: names are sorted, owners are 0, times are SOURCE_DATE_EPOCH (or 0). The manifest keeps
what it says of other platforms when that is of the same version. It is signed when RELEASE_SIGNING_KEY names a key; else a
signature of an earlier one is removed."""

import argparse
import bz2
import hashlib
import io
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
# The one program of a release and its second name.
RELEASE_PROGRAM, PROGRAM, SECOND_NAME = "codeai-hub-release", "codeai-hub", "codeai-hub-core"


def this_platform():
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system())
    machine = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    if not system or not machine:
        raise SystemExit(f"error: there is no release for {platform.system()} on {platform.machine()}")
    return f"{system}-{machine}"


def gather(folder, into, options, links):
    """The files of a release whose programs lie in a folder: name -> path. Programs are copied, to be changed."""
    folder = pathlib.Path(folder)
    if (folder / RELEASE_PROGRAM).is_file():
        built = {PROGRAM: folder / RELEASE_PROGRAM}
        links[SECOND_NAME] = PROGRAM
    else:
        built = {name: folder / name for name in (PROGRAM, SECOND_NAME)}
    files = {}
    for name, path in built.items():
        if not path.is_file():
            raise SystemExit(f"error: {path} isn't there: build it first")
        files[name] = into / name
        # A copy by bytes: a built program may have been linked to, and is stamped in a moment.
        shutil.copyfile(path, files[name])
        files[name].chmod(0o755)
    if options.strip:
        run(["strip", *files.values()])
    run([here / "stamp.sh", *files.values(), options.version])
    files["VERSION"] = into / "VERSION"
    files["VERSION"].write_text(options.version + "\n")
    for name in ("LICENSE", "THIRD-PARTY-LICENSES"):
        if (root / "assets/core" / name).is_file():
            files[name] = root / "assets/core" / name
    return files


def run(command):
    if subprocess.run([str(part) for part in command]).returncode:
        raise SystemExit(1)


def pack(files, links, modified):
    """The archive's bytes, and how many its files have."""
    plain, unpacked = io.BytesIO(), 0
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        # A link comes after what it leads to, as whoever unpacks it expects.
        for name in sorted(files) + sorted(links):
            entry = tarfile.TarInfo(name)
            entry.mtime = modified
            if name in links:
                entry.type, entry.linkname, entry.mode = tarfile.LNKTYPE, links[name], mode(files[links[name]])
                archive.addfile(entry)
                continue
            content = pathlib.Path(files[name]).read_bytes()
            entry.size, entry.mode = len(content), mode(files[name])
            unpacked += len(content)
            archive.addfile(entry, io.BytesIO(content))
    return bz2.compress(plain.getvalue(), 9), unpacked


def mode(path):
    return 0o755 if os.access(path, os.X_OK) else 0o644


def write(path, content):
    """Whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.chmod(0o644)
    temporary.replace(path)


def read_manifest(path):
    try:
        manifest = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and manifest.get("schema") == 1 else {}


def with_base(manifest, urls):
    if urls:
        manifest["baseUrl"] = urls[0] if len(urls) == 1 else urls
    return manifest


def core_manifest(path, options, described):
    others = read_manifest(path).get("platforms", {})
    platforms = {
        name: entry for name, entry in others.items()
        if entry.get("coreVersion") == options.version and entry.get("sha256") and name != options.platform
    }
    platforms[options.platform] = {"coreVersion": options.version, **described}
    manifest = with_base({"schema": 1, "version": options.version}, options.base_url)
    if options.notes:
        manifest["notes"] = pathlib.Path(options.notes).read_text().strip()
    manifest["platforms"] = dict(sorted(platforms.items()))
    return manifest


def provider_manifest(path, options, described):
    providers = read_manifest(path).get("providers", {})
    providers[options.provider] = {"version": options.version, **described}
    if options.minimum_core:
        providers[options.provider]["minimumCore"] = options.minimum_core
    return with_base({"schema": 1}, options.base_url) | {"providers": dict(sorted(providers.items()))}


def pairs(words, what):
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value or name.startswith("/") or ".." in name.split("/"):
            raise SystemExit(f"error: {word} is no {what}: see --help")
        found[name] = value
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", metavar="FOLDER", help="where the built programs are")
    parser.add_argument("--strip", action="store_true", help="takes debug symbols out of the programs: smaller, quicker")
    parser.add_argument("--provider", metavar="ID", help="packs a module of this provider")
    parser.add_argument("--version", default=(root / "VERSION").read_text().strip())
    parser.add_argument("--minimum-core", metavar="VERSION", help="the oldest daemon that a provider's module is for")
    parser.add_argument("--platform", default=this_platform())
    parser.add_argument("--base-url", metavar="URL", action="append", default=[],
                        help="where packages are fetched from; repeated for mirrors; without, beside the manifest")
    parser.add_argument("--notes", metavar="FILE", help="what changed, in Markdown")
    parser.add_argument("--output", metavar="DIR", type=pathlib.Path, default=root / "doc/tmp/releases")
    parser.add_argument("--manifest", metavar="FILE", type=pathlib.Path, help="writes the manifest there, too")
    parser.add_argument("--debug", metavar="FILE", help="debug symbols, for an archive of their own")
    parser.add_argument("--link", metavar="NAME=OTHER", action="append", default=[])
    parser.add_argument("files", metavar="NAME=FILE", nargs="*")
    options = parser.parse_args()
    run(["bash", "-c", f'source "{root}/scripts/lib.sh" && check_version "$1"', "check", options.version])
    if options.provider and not re.fullmatch(r"[A-Za-z0-9._-]+", options.provider):
        raise SystemExit(f"error: {options.provider} is no id of a provider")

    modified = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        links, files = {}, {}
        if options.programs:
            files = gather(options.programs, pathlib.Path(temporary), options, links)
        replaced = pairs(options.files, "file")
        links = {name: other for name, other in links.items() if name not in replaced}
        files |= replaced
        links |= pairs(options.link, "link")
        for name, path in files.items():
            if not os.path.isfile(path):
                raise SystemExit(f"error: {name} would be {path}, which is no file")
        for name, other in links.items():
            if name in files or other not in files:
                raise SystemExit(f"error: a link {name} to {other} can't be: see --help")
        if not files:
            raise SystemExit("error: there is nothing to pack: see --help")
        archive, unpacked = pack(files, links, modified)

    subject = f"provider-{options.provider}" if options.provider else f"core-{options.platform}"
    package = f"codeai-hub-{subject}-{options.version}.tar.bz2"
    write(options.output / package, archive)
    described = {
        "package": package, "size": len(archive), "sha1": hashlib.sha1(archive).hexdigest(),
        "sha256": hashlib.sha256(archive).hexdigest(), "unpackedSize": unpacked,
    }
    path = options.output / ("providers-manifest.json" if options.provider else "manifest.json")
    manifest = (provider_manifest if options.provider else core_manifest)(path, options, described)
    text = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    write(path, text)
    if os.environ.get("RELEASE_SIGNING_KEY"):
        run([here / "sign.sh", path])
    else:
        path.with_name(path.name + ".sig").unlink(missing_ok=True)
    if options.manifest:
        write(options.manifest, text)
    if options.debug:
        symbols, _ = pack({pathlib.Path(options.debug).name: options.debug}, {}, modified)
        write(options.output / package.replace(".tar.bz2", "-debug.tar.bz2"), symbols)
    print(f"{options.output / package}: {len(archive):,} bytes, {unpacked:,} unpacked")


if __name__ == "__main__":
    sys.exit(main())
