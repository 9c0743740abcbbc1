#!/usr/bin/env python3
"""Writes Sources/CAssets/web.c, which has the compiler put the files of assets/web inside the program, and into index.html
which modules there are, so that a browser loads them at once.

    scripts/embed-web.py [--check]       --check writes nothing and fails when the file isn't what would be written

To be run when a file was added, renamed or removed; what is in the files is read at each build. The style sheets become one
file: nothing is painted before all of them are there, and each one asked for delays that.
"""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
web = root / "assets/web"
target = root / "Sources/CAssets/web.c"

# In the order in which they apply; together they are STYLE.
STYLES = [f"css/{name}.css" for name in ("tokens", "shell", "sidebar", "pages", "conversation", "interaction", "views")]
STYLE = "css/client.css"

HEAD = """// Written by scripts/embed-web.py.
#include "CAssets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"
"""


def text(names):
    """Variables named after the files, so that one more changes no other line."""
    sources = {name: [name] for name in names if name not in STYLES} | {STYLE: STYLES}
    variables = {name: re.sub(r"[^A-Za-z0-9]", "_", name) for name in sorted(sources)}
    parts = [HEAD]
    for name, variable in variables.items():
        embedded = ",\n".join(f'#embed "../../assets/web/{source}"\n' for source in sources[name])
        parts.append(f"\nstatic const unsigned char {variable}[] = {{\n{embedded}}};\n")
    rows = "".join(f'    {{"{name}", {variable}, sizeof {variable}}},\n' for name, variable in variables.items())
    parts.append(f"\nstatic const struct cassets_file cassets_files[] = {{\n{rows}}};\n")
    parts.append("""
const struct cassets_file *cassets_web(size_t *count) {
    *count = sizeof cassets_files / sizeof cassets_files[0];
    return cassets_files;
}
""")
    return "".join(parts)


def page(names):
    """index.html with a line for each module that main.js leads to."""
    begin, end = "asks for it. -->\n", "<!-- /modules -->"
    before, rest = (web / "index.html").read_text().split(begin)
    modules = [name for name in names if name.endswith(".js") and name not in ("core/main.js", "core/theme.js")]
    lines = "".join(f'<link rel="modulepreload" href="/web/{name}">\n' for name in modules)
    return before + begin + lines + end + rest.split(end)[1]


def main():
    names = sorted(str(path.relative_to(web)) for path in web.rglob("*") if path.is_file())
    for name in names:
        # As it is in a C string and in an address.
        if not re.fullmatch(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)*", name) or not (web / name).stat().st_size:
            print(f"assets/web/{name}: is empty, or its name has more than letters, digits, - _ . /", file=sys.stderr)
            return 1
    if styles := set(STYLES) ^ {name for name in names if name.endswith(".css")}:
        print(f"STYLES in this script and assets/web/css differ in {', '.join(styles)}", file=sys.stderr)
        return 1
    for file, wanted in {target: text(names), web / "index.html": page(names)}.items():
        if file.is_file() and file.read_text() == wanted:
            continue
        if "--check" in sys.argv:
            print(f"assets/web has other files than {file.name} says: run scripts/embed-web.py", file=sys.stderr)
            return 1
        file.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
