#!/usr/bin/env python3
"""Runs shellcheck on the commands of GitHub workflows, checks that what they call is there, and that actions are named by
their commits.

    scripts/release/check-workflows.py FILE..."""

import os
import pathlib
import re
import subprocess
import sys

from ruamel.yaml import YAML

root = pathlib.Path(__file__).resolve().parent.parent.parent
problems = []


def check_command(where, command):
    result = subprocess.run(
        ["shellcheck", "--shell=bash", "--format=gcc", "-"], input=command, capture_output=True, text=True
    )
    problems.extend(f"{where}: {line}" for line in result.stdout.splitlines())
    for script in re.findall(r"(?:scripts|\.ci)/[\w./-]+", command):
        if not os.access(root / script, os.X_OK):
            problems.append(f"{where}: {script} isn't there, or can't be run")


for file in map(pathlib.Path, sys.argv[1:]):
    for name, job in YAML(typ="safe").load(file)["jobs"].items():
        if "timeout-minutes" not in job:
            problems.append(f"{file.name}: {name} has no timeout-minutes")
        for number, step in enumerate(job["steps"], 1):
            where = f"{file.name}: {name}, step {number}"
            if "run" in step:
                check_command(where, step["run"])
            elif not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]):
                problems.append(f"{where}: {step['uses']} can be changed by who owns it: name the commit")

for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
