#!/usr/bin/env python3
"""Packs what a release's program was linked from, so that it can be linked with another version of the GNU C Library (LGPL 2.1,
section 6): its object files, the libraries built for it, and relink.sh, which does as the build did.

    scripts/release/objects.py --build .build/release-static --product codeai-hub-release --output FILE.tar.bz2

--build is the folder that swift build was given as --scratch-path. The same objects give the same bytes."""

import argparse
import io
import json
import os
import pathlib
import re
import shlex
import sys
import tarfile

root = pathlib.Path(__file__).resolve().parent.parent.parent
RELINK = """#!/bin/sh
# Links the program of this release with the libraries that this machine has. Needs Swift {version} and those static libraries
# that THIRD-PARTY-LICENSES names and that aren't here. The program is larger than the release's: Swift's own libraries have
# marks that keep what nobody calls, which scripts/release/unretain.py of the source takes away. Arguments are passed on to the linker's driver: -L FOLDER has a library looked for there first.
set -eu
cd "$(dirname "$0")"
swiftc "$@" {arguments}
echo "linked: $PWD/codeai-hub (also to be called codeai-hub-core)"
"""


def link_command(build, product):
    """As SwiftPM has noted it: the arguments of the command that makes the product."""
    for text in map(pathlib.Path.read_text, build.glob("release.yaml")):
        command = re.search(
            r'^  "C\.%s-[^"]*\.exe":\n(?:    .*\n)*?    args: (\[.*\])$' % re.escape(product), text, re.MULTILINE
        )
        if command:
            return json.loads(command[1])
    raise SystemExit(f"error: {build} has no release build of {product}")


def unpack_lists(arguments):
    """Arguments with the files of arguments in their place."""
    for argument in arguments:
        if argument.startswith("@"):
            yield from shlex.split(pathlib.Path(argument[1:]).read_text())
        else:
            yield argument


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", metavar="FOLDER", type=pathlib.Path, required=True)
    parser.add_argument("--product", required=True)
    parser.add_argument("--output", metavar="FILE", type=pathlib.Path, required=True)
    options = parser.parse_args()

    objects, kept, libraries = {}, [], {}
    arguments = list(unpack_lists(link_command(options.build, options.product)))
    compiler, arguments = arguments[0], arguments[1:]
    build = str(options.build.resolve())
    while arguments:
        argument = arguments.pop(0)
        if argument == "-o":
            arguments.pop(0)
            kept += ["-o", "codeai-hub"]
        elif argument == "-L" and arguments and arguments[0].startswith(build):
            arguments.pop(0)
        elif argument.startswith(f"-L{root}/.build/"):
            # Built for the release (scripts/release/libraries.sh). Needed once, where it is first looked for.
            if not libraries:
                kept.append("-Llibraries")
            libraries |= {f"libraries/{path.name}": path for path in pathlib.Path(argument[2:]).glob("*.a")}
        elif argument == "-Xlinker" and arguments and arguments[0].startswith("--remap-inputs="):
            # Swift's libraries without the marks: those of the toolchain do.
            arguments.pop(0)
        elif argument == "-file-prefix-map":
            # For what is compiled, and nothing is; it names the folder of whoever built.
            arguments.pop(0)
        elif argument.endswith((".o", ".a")) and os.path.isabs(argument):
            # By module and name: files of different modules may have the same.
            path = pathlib.Path(argument)
            name = f"objects/{path.parent.name.removesuffix('.build')}/{path.name}"
            if name in objects:
                raise SystemExit(f"error: two objects are {name}")
            objects[name] = path
        elif build in argument or str(root) in argument:
            raise SystemExit(f"error: what to do with {argument}?")
        else:
            kept.append(argument)

    version = os.popen(f"{shlex.quote(compiler)} --version 2>/dev/null").read()
    version = re.search(r"Swift version ([0-9.]+)", version)
    script = RELINK.format(version=version[1] if version else "of that time", arguments=shlex.join(kept) + " @objects.list")
    with tarfile.open(options.output, "w:bz2", format=tarfile.USTAR_FORMAT) as archive:

        def add(name, content, mode=0o644):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
            archive.addfile(entry, io.BytesIO(content))

        add("relink.sh", script.encode(), 0o755)
        add("objects.list", "".join(f"{shlex.quote(name)}\n" for name in objects).encode())
        for name, path in sorted((objects | libraries).items()):
            add(name, path.read_bytes())
    print(f"{options.output}: {options.output.stat().st_size:,} bytes, {len(objects)} objects")


if __name__ == "__main__":
    sys.exit(main())
