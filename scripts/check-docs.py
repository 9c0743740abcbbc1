#!/usr/bin/env python3
"""Checks that doc/modules.md lists exactly the targets of Package.swift with exactly their dependencies, that every
relative link in the documents leads to a file, and that a file that a document quotes stands there as it is:

    <!-- examples/hello.py -->
    (a block of code)

With --update such blocks are written."""

import json
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
problems = []


def package_modules():
    text = subprocess.run(
        ["swift", "package", "--package-path", str(root), "dump-package"], check=True, capture_output=True, text=True
    ).stdout
    modules = {}
    for target in json.loads(text)["targets"]:
        if target["type"] == "test" or (target.get("path") or "").startswith("Tests/"):
            continue
        names = set()
        for dependency in target["dependencies"]:
            kind = "byName" if "byName" in dependency else "target"
            names.add(dependency[kind][0])
        modules[target["name"]] = names
    return modules


def documented_modules():
    modules = {}
    for line in (root / "doc/modules.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        match = re.fullmatch(r"`([A-Za-z0-9-]+)`", cells[0])
        if line.startswith("|") and match and len(cells) == 4:
            modules[match[1]] = set(re.findall(r"[A-Za-z0-9-]+", cells[3]))
    return modules


def compare_modules():
    package, documented = package_modules(), documented_modules()
    for name in sorted(package.keys() - documented.keys()):
        problems.append(f"doc/modules.md: {name} is in Package.swift but not in the table")
    for name in sorted(documented.keys() - package.keys()):
        problems.append(f"doc/modules.md: {name} is in the table but not in Package.swift")
    for name in sorted(package.keys() & documented.keys()):
        for missing in sorted(package[name] - documented[name]):
            problems.append(f"doc/modules.md: {name} depends on {missing}: not in the table")
        for extra in sorted(documented[name] - package[name]):
            problems.append(f"doc/modules.md: {name} doesn't depend on {extra} any more")


def check_links():
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        check=True, capture_output=True, text=True,
    ).stdout.split()
    for name in listed:
        page = root / name
        if not page.is_file():
            continue
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", text):
            if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                problems.append(f"{name}: the link to {target} leads nowhere")


def check_quotes(update):
    for page in sorted((root / "doc").glob("*.md")):
        def quoted(match):
            return match[1] + (page.parent / match[2]).read_text() + match[3]

        text = page.read_text()
        expected = re.sub(
            r"(^<!-- (\S+) -->\n```\w+\n)(?:.*?)(^```$)", quoted, text, flags=re.S | re.M)
        if expected == text:
            continue
        if update:
            page.write_text(expected)
        else:
            problems.append(f"doc/{page.name} quotes files that have changed: run scripts/check-docs.py --update")


check_quotes(update="--update" in sys.argv[1:])
compare_modules()
check_links()
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
